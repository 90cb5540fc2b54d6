from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from napari_relay.geometry import Window
from napari_relay.training import labelled_image, split_image
from napari_relay.training.base_tile_draw import draw_base_tiles
from napari_relay.training.base_tiles import NO_TILES, read_base_tiles, write_base_tiles
from relay_tokens import Checkpoint, UserError, load_checkpoint, save_checkpoint, zoo_folder
from tests.training.scenes import METADATA, blobs, tiny_model

CONFIG = tiny_model().config
IMAGE, LABELS = blobs()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    split = split_image(IMAGE.shape, 64, 0.2, 0, LABELS)
    tiles = draw_base_tiles([labelled_image(IMAGE, LABELS, split)], CONFIG, METADATA)
    write_base_tiles(tmp_path / "base_tiles.npz", tiles)
    return tmp_path / "base_tiles.npz"


def test_tiles_come_back_as_they_were_within_a_step_of_a_byte(tmp_path: Path) -> None:
    split = split_image(IMAGE.shape, 64, 0.2, 0, LABELS)
    tiles = draw_base_tiles([labelled_image(IMAGE, LABELS, split)], CONFIG, METADATA)
    write_base_tiles(tmp_path / "tiles.npz", tiles)
    again = read_base_tiles(tmp_path / "tiles.npz", CONFIG)
    assert len(again.learnt) == len(tiles.learnt) > 3
    assert len(again.measured) == len(tiles.measured) > 3
    for one, other in zip(
        (*tiles.learnt, *tiles.measured), (*again.learnt, *again.measured), strict=True
    ):
        assert np.array_equal(one.labels, other.labels)
        for exact, read in (
            (one.crops.local, other.crops.local),
            (one.crops.global_, other.crops.global_),
        ):
            assert np.abs(exact - read).max() <= np.ptp(exact) / 255


def test_what_is_measured_on_shares_no_pixel_with_what_is_learnt() -> None:
    seen: dict[bool, np.ndarray] = {k: np.zeros(IMAGE.shape, bool) for k in (False, True)}
    split = split_image(IMAGE.shape, 64, 0.2, 0, LABELS)
    image = labelled_image(IMAGE, LABELS, split)
    from napari_relay.training import base_tile_draw
    from napari_relay.training.labelled_image import Place

    for y in range(0, 257, 8):
        for x in range(0, 257, 8):
            place = Place(0, Window(y, x, 64, 64))
            part = base_tile_draw._is_measured([image], place)
            if part is not None:
                seen[part][place.window.slices] = True
    assert not (seen[False] & seen[True]).any()


def test_without_a_file_there_are_no_tiles(tmp_path: Path) -> None:
    assert read_base_tiles(None, CONFIG) == NO_TILES
    assert read_base_tiles(tmp_path / "none.npz", CONFIG) == NO_TILES


@pytest.mark.parametrize("damage", ["cut", "text", "other model"])
def test_a_damaged_file_is_one_sentence_that_names_it(written: Path, damage: str) -> None:
    config = CONFIG
    if damage == "cut":
        written.write_bytes(written.read_bytes()[:1000])
    elif damage == "text":
        written.write_text("nothing")
    else:
        config = replace(CONFIG, crop_size=128)
    with pytest.raises(UserError, match=r"base_tiles\.npz") as raised:
        read_base_tiles(written, config)
    assert "\n" not in str(raised.value)


def test_tiles_survive_the_saving_of_a_version_even_of_a_version(
    written: Path, tmp_path: Path
) -> None:
    save_checkpoint(tmp_path / "a", tiny_model(), METADATA, written)
    first = load_checkpoint(tmp_path / "a")
    save_checkpoint(tmp_path / "b", first.model, first.metadata, first.base_tiles)
    second = load_checkpoint(tmp_path / "b")
    assert second.base_tiles == tmp_path / "b" / "base_tiles.npz"
    assert read_base_tiles(second.base_tiles, CONFIG).learnt
    gone = replace(second, base_tiles=tmp_path / "gone.npz")
    save_checkpoint(tmp_path / "c", gone.model, gone.metadata, gone.base_tiles)
    assert load_checkpoint(tmp_path / "c").base_tiles is None


@pytest.mark.parametrize("name", ["landscape-vit-tiny", "landscape-swinv2-tiny", "tissue-vit-tiny"])
def test_shipped_models_bring_tiles_that_they_know(name: str) -> None:
    shipped: Checkpoint = load_checkpoint(zoo_folder(name))
    assert shipped.base_tiles is not None
    assert shipped.base_tiles.stat().st_size < 1_600_000
    tiles = read_base_tiles(shipped.base_tiles, shipped.model.config)
    labels = np.concatenate([e.labels.ravel() for e in tiles.measured])
    classes = range(shipped.model.config.num_classes)
    assert set(classes) <= set(np.unique(labels).tolist())
