from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ome_zarr.io import parse_url
from ome_zarr.reader import Node, Reader
from ome_zarr_models.v05.image import Image

from napari_relay.exporting.attention import export_attention, predicted_window
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from napari_relay.inference.attention_choice import AttentionChoice
from relay_tokens import UserError
from tests.inference.tiles import pattern_store, pattern_tile

CHOICE = AttentionChoice("relay_to_patch", (0, 1), token=1)
BRANCHES = ("local", "global")


@pytest.fixture
def store(tmp_path: Path) -> PredictionStore:
    """Tiles of 64 px in the middle of an image of 0.5 by 0.25 µm pixels."""
    made = pattern_store(tmp_path / "s", 700, 900, pixel_size=(0.5, 0.25), unit="um")
    made.write([pattern_tile(made, (i, j)) for i in range(3, 7) for j in range(5, 9)])
    return made


def read(folder: Path) -> Node:
    location = parse_url(folder)
    assert location is not None
    (node,) = Reader(location)()
    return node


def placed(node: Node) -> tuple[list[float], list[float]]:
    scale, translation = node.metadata["coordinateTransformations"][0]
    return scale["scale"], translation["translation"]


@pytest.mark.parametrize("branch", BRANCHES)
def test_the_maps_are_those_of_the_prediction_and_lie_where_they_do(
    store: PredictionStore, tmp_path: Path, branch: str
) -> None:
    path = tmp_path / "a.ome.zarr"
    *_, last = export_attention(store, branch, CHOICE, path)
    assert (last.path, last.done) == (path, last.total)
    node = read(path)
    window = predicted_window(store)
    assert window == Window(192, 320, 256, 256)
    whole = np.asarray(node.data[0])
    names = node.metadata["channel_names"]
    assert names == ["mean of the relay tokens", "relay token 1", "relay token 2"]
    for channel, token in enumerate((None, 0, 1)):
        parts = (branch, "relay_to_patch", (0, 1), token, window)
        values, factor, translate = store.attention_map(*parts)
        np.testing.assert_allclose(whole[channel], values, rtol=1e-6)
        scale, translation = placed(node)
        assert scale == [1, factor * 0.5, factor * 0.25]
        assert translation == [0, translate[0] * 0.5, translate[1] * 0.25]


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_view_is_written_in_parts_without_a_seam(
    store: PredictionStore, tmp_path: Path, branch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    view = Window(201, 333, 222, 141)
    monkeypatch.setattr("napari_relay.exporting.attention._STRIP", 3)
    steps = list(export_attention(store, branch, CHOICE, tmp_path / "v.ome.zarr", view))
    assert len(steps) > 2
    found = np.asarray(read(tmp_path / "v.ome.zarr").data[0])
    expected = store.attention_map(branch, "relay_to_patch", (0, 1), 1, view)
    np.testing.assert_allclose(found[2], expected.values, rtol=1e-6)


def test_coarser_levels_are_means_of_what_is_predicted(
    store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_relay.exporting.attention._COARSEST", 8)
    view = Window(150, 300, 210, 330)
    list(export_attention(store, "local", CHOICE, tmp_path / "a.ome.zarr", view))
    node = read(tmp_path / "a.ome.zarr")
    fine, coarse = (np.asarray(level) for level in node.data[:2])
    padded = np.pad(fine, [(0, 0), *((0, s % 2) for s in fine.shape[1:])], constant_values=np.nan)
    with np.errstate(all="ignore"):
        pairs = padded.reshape(len(fine), coarse.shape[1], 2, coarse.shape[2], 2)
        missing = np.isnan(pairs).all(axis=(2, 4))
        sums, counts = np.nansum(pairs, axis=(2, 4)), np.isfinite(pairs).sum(axis=(2, 4))
        np.testing.assert_allclose(coarse, np.where(missing, np.nan, sums / counts), rtol=1e-5)
    assert np.isnan(coarse).any()
    first, second = node.metadata["coordinateTransformations"][:2]
    half_a_cell = np.array(first[0]["scale"][1:]) / 2
    moved = np.array(second[1]["translation"][1:]) - first[1]["translation"][1:]
    np.testing.assert_allclose(moved, half_a_cell)
    assert max(node.data[-1].shape) <= 8


def test_it_follows_the_specification_and_says_how_it_was_made(
    store: PredictionStore, tmp_path: Path
) -> None:
    import zarr

    list(export_attention(store, "global", CHOICE, tmp_path / "a.ome.zarr"))
    group = zarr.open_group(tmp_path / "a.ome.zarr", mode="r")
    Image.from_zarr(group)
    said = group.attrs["napari_relay_attention"]
    assert said["branch"] == "global"
    assert said["blocks"] == [0, 1]
    assert said["model"] == "tiny"
    active = [c["active"] for c in group.attrs["ome"]["omero"]["channels"]]
    assert active == [False, False, True]


def test_what_is_given_up_leaves_nothing_behind(store: PredictionStore, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    steps = export_attention(store, "local", CHOICE, folder / "a.ome.zarr")
    next(steps)
    assert list(folder.iterdir())
    steps.close()
    assert not list(folder.iterdir())


def test_mistakes_are_one_sentence_and_leave_nothing_behind(
    store: PredictionStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="there exists already"):
        list(export_attention(store, "local", CHOICE, tmp_path / "there"))
    with pytest.raises(UserError, match="Nothing is predicted here"):
        list(export_attention(store, "local", CHOICE, tmp_path / "a", Window(-90, -90, 9, 9)))
    with pytest.raises(UserError, match="no block 9"):
        list(export_attention(store, "local", AttentionChoice("relay_to_patch", 9), tmp_path / "a"))
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"a cannot be written .* choose a folder"):
        list(export_attention(store, "local", CHOICE, tmp_path / "file" / "a"))

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_relay.exporting.attention._describe", full)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UserError, match=r"No space left.*free some space"):
        list(export_attention(store, "local", CHOICE, tmp_path / "b"))
    assert sorted(tmp_path.iterdir()) == before
