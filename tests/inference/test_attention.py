from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.inference import (
    PredictionStore,
    PredictOptions,
    predict,
    read_crop_pair,
)
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.inference.attention_global import overlapped
from napari_relay.inference.attention_maps import read_attention_stack
from relay_tokens import Checkpoint, RelayConfig, RelaySegmenter, UserError

from .samples import make_image, make_metadata, noise, tiny_relay, value_checkpoint

HALO = 32
OPTIONS = PredictOptions(device="cpu", halo=HALO)


def marked_store(folder: Path, mark: Window, size: tuple[int, int]) -> PredictionStore:
    """Attention of a model that attends to bright patches, on one bright square."""
    pixels = np.zeros((*size, 1), dtype=np.float32)
    pixels[mark.slices] = 1
    image, checkpoint = make_image(pixels, 3), value_checkpoint(2, crop_size=128)
    store = PredictionStore.create(folder, image, checkpoint, OPTIONS)
    list(predict(checkpoint, image, store, options=OPTIONS))
    return store


@pytest.mark.parametrize(("block", "cell"), [(0, 16), (2, 32)])
def test_a_marked_patch_lights_up_at_its_place_in_the_local_map(
    tmp_path: Path, block: int, cell: int
) -> None:
    mark = Window(96, 224, 32, 32)
    store = marked_store(tmp_path / "s", mark, (300, 410))
    values, factor, translate = store.attention_map("local", "relay_to_patch", block, 1)
    assert factor == cell
    assert translate == ((cell - 1) / 2, (cell - 1) / 2)
    assert values.shape == (-(-300 // cell), -(-410 // cell))
    lit = np.argwhere(values > 0.5)
    np.testing.assert_allclose(lit.mean(axis=0) * factor + translate, mark.center)
    assert len(lit) == (32 // cell) ** 2
    np.testing.assert_allclose(values.sum(), len(lit))


@pytest.mark.parametrize(("block", "cell"), [(0, 64), (2, 64)])
def test_a_marked_patch_lights_up_at_its_place_in_the_global_map(
    tmp_path: Path, block: int, cell: int
) -> None:
    # The first global crop begins at -32 - 192 = -224: its cells at 32 + 64 n.
    mark = Window(96, 224, 64, 64)
    store = marked_store(tmp_path / "s", mark, (300, 410))
    values, factor, translate = store.attention_map("global", "relay_to_patch", block)
    assert factor == cell
    rows, cols = np.meshgrid(*map(np.arange, values.shape), indexing="ij")
    total = values.sum()
    middle = (rows * values).sum() / total, (cols * values).sum() / total
    found = np.array(middle) * factor + translate
    if block == 0:
        np.testing.assert_allclose(found, mark.center, atol=1e-3)
        assert (values > 0.9).sum() == 1
    else:
        assert np.abs(found - mark.center).max() <= 32


def test_a_window_of_a_map_is_the_same_part_of_the_whole(tmp_path: Path) -> None:
    store = marked_store(tmp_path / "s", Window(96, 224, 64, 64), (500, 410))
    for branch in ("local", "global"):
        whole = store.attention_map(branch, "patch_to_relay")
        part = store.attention_map(branch, "patch_to_relay", window=Window(130, 200, 90, 33))
        offset = (np.array(part.translate) - whole.translate) / whole.factor
        assert (offset == offset.round()).all()
        y, x = offset.astype(int)
        rows, cols = part.values.shape
        np.testing.assert_allclose(part.values, whole.values[y : y + rows, x : x + cols])


def test_a_thinned_map_still_lies_where_it_should(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 1000, dtype=np.float32)[:, None, None].repeat(400, axis=1)
    image, checkpoint = make_image(ramp), value_checkpoint(2, crop_size=128)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, OPTIONS)
    list(predict(checkpoint, image, store, options=OPTIONS))
    values, factor, translate = store.attention_map("local", "relay_to_patch", 0, max_side=16)
    assert max(values.shape) <= 16
    position = (translate[0] + factor * np.arange(len(values)))[:-1]
    np.testing.assert_allclose(values[:-1, 3], position / 999, atol=0.5 * factor / 999)


def test_the_mean_over_blocks_and_tokens_is_their_mean(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(100, 120)), tiny_relay()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, PredictOptions(device="cpu"))
    list(predict(checkpoint, image, store, options=PredictOptions(device="cpu")))
    for branch in ("local", "global"):
        for direction in ("relay_to_patch", "patch_to_relay"):
            parts = [
                store.attention_map(branch, direction, b, t).values
                for b in range(2)
                for t in range(4)
            ]
            assert np.ptp(parts, axis=0).max() > 0
            mean = store.attention_map(branch, direction).values
            np.testing.assert_allclose(mean, np.mean(parts, axis=0), rtol=1e-3)


def test_the_store_keeps_what_the_model_recorded(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(64, 64)), tiny_relay()
    options = PredictOptions(device="cpu", halo=16)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, options)
    list(predict(checkpoint, image, store, options=options))
    window = store.grid.crop(1, 1)
    pair = read_crop_pair(image, window, checkpoint.model.config, checkpoint.metadata)
    with torch.no_grad():
        crops = [torch.from_numpy(crop)[None] for crop in (pair.local, pair.global_)]
        seen = checkpoint.model(*crops, record_attention=True).attention.local
    for direction in ("relay_to_patch", "patch_to_relay"):
        recorded = getattr(seen, direction)[1][0, :, 3].mean(0)[1:3, 1:3]
        found = store.attention_map("local", direction, 1, 3).values[2:4, 2:4]
        np.testing.assert_allclose(found, recorded, atol=1e-3)


def test_the_stages_of_a_swin_transformer_share_one_map(tmp_path: Path) -> None:
    torch.manual_seed(0)
    options = {"embed_dim": 24, "depths": (1, 1), "num_heads": (2, 2), "window_size": 4}
    config = RelayConfig("swinv2_tiny_window8_256", 2, crop_size=64, backbone_options=options)
    checkpoint = Checkpoint(RelaySegmenter(config), make_metadata(3, 2, std=(60.0,) * 3))
    assert checkpoint.model.attention_strides == (4, 8)
    image = make_image(noise(70, 90))
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, PredictOptions(device="cpu"))
    list(predict(checkpoint, image, store, options=PredictOptions(device="cpu")))
    fine, coarse, mean = (
        store.attention_map("local", "relay_to_patch", block) for block in (0, 1, None)
    )
    assert (fine.factor, coarse.factor, mean.factor) == (4, 8, 4)
    rows, cols = (np.arange(side) // 2 for side in fine.values.shape)
    expected = (fine.values + coarse.values[np.ix_(rows, cols)]) / 2
    np.testing.assert_allclose(mean.values, expected, rtol=1e-3)
    wide = store.attention_map("global", "patch_to_relay")
    assert wide.factor == 16
    assert np.isfinite(wide.values).all()


def test_cells_that_are_not_predicted_are_nan(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(400, 400)), tiny_relay()
    options = PredictOptions(device="cpu", halo=16)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, options)
    list(predict(checkpoint, image, store, [Window(0, 0, 32, 32)], options))
    values = store.attention_map("local", "relay_to_patch").values
    assert np.isfinite(values[:2, :2]).all()
    assert np.isfinite(values).sum() == 4
    wide = store.attention_map("global", "relay_to_patch").values
    assert np.isfinite(wide).any()
    assert np.isnan(wide).any()


def test_a_store_without_attention_and_wrong_blocks_are_refused(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(64, 64)), tiny_relay()
    options = PredictOptions(device="cpu", attention=False)
    without = PredictionStore.create(tmp_path / "a", image, checkpoint, options)
    with pytest.raises(UserError, match="keeps no attention"):
        without.attention_map("local", "relay_to_patch")
    store = PredictionStore.create(tmp_path / "b", image, checkpoint)
    with pytest.raises(UserError, match="no block 2 in this prediction; it keeps 0, 1"):
        store.attention_map("local", "relay_to_patch", block=2)
    with pytest.raises(UserError, match="no relay token 4"):
        store.attention_map("local", "relay_to_patch", token=4)


def predicted(folder: Path, **wanted: object) -> PredictionStore:
    image, checkpoint = make_image(noise(100, 120)), tiny_relay()
    options = PredictOptions(device="cpu", **wanted)
    store = PredictionStore.create(folder, image, checkpoint, options)
    list(predict(checkpoint, image, store, options=options))
    return store


def test_chosen_blocks_are_the_same_as_in_a_store_of_all(tmp_path: Path) -> None:
    whole = predicted(tmp_path / "all")
    last = predicted(tmp_path / "last", attention_blocks=(-1,))
    for branch in ("local", "global"):
        expected = whole.attention_map(branch, "patch_to_relay", 1, 2)
        for block in (1, None):
            found = last.attention_map(branch, "patch_to_relay", block, 2)
            np.testing.assert_array_equal(found.values, expected.values)
            assert found[1:] == expected[1:]
    with pytest.raises(UserError, match="no block 0 in this prediction; it keeps 1"):
        last.attention_map("local", "patch_to_relay", 0)


def test_the_mean_of_all_heads_is_what_is_kept_otherwise(tmp_path: Path) -> None:
    whole = predicted(tmp_path / "mean")
    heads = predicted(tmp_path / "heads", attention_heads="all")
    for branch in ("local", "global"):
        choice = (branch, "relay_to_patch", 0, 3)
        parts = [heads.attention_map(*choice, head=head).values for head in range(3)]
        assert np.ptp(parts, axis=0).max() > 0
        mean = heads.attention_map(*choice).values
        np.testing.assert_allclose(mean, np.mean(parts, axis=0), rtol=1e-5)
        np.testing.assert_allclose(mean, whole.attention_map(*choice).values, rtol=2e-3)
    with pytest.raises(UserError, match="no head 3; the heads are 0 to 2"):
        heads.attention_map("local", "relay_to_patch", head=3)
    with pytest.raises(UserError, match="keeps the mean over heads"):
        whole.attention_map("local", "relay_to_patch", head=0)


def test_a_range_of_blocks_is_the_mean_of_its_blocks(tmp_path: Path) -> None:
    store = marked_store(tmp_path / "s", Window(96, 224, 64, 64), (300, 410))
    for branch in ("local", "global"):
        finest, _, coarse = (
            store.attention_map(branch, "patch_to_relay", block) for block in range(3)
        )
        both = store.attention_map(branch, "patch_to_relay", (1, 2))
        assert both[1:] == finest[1:]
        repeat = int(coarse.factor / finest.factor)
        rows, cols = (np.arange(side) // repeat for side in finest.values.shape)
        expected = (finest.values + coarse.values[np.ix_(rows, cols)]) / 2
        np.testing.assert_allclose(both.values, expected, rtol=1e-5)
        one = store.attention_map(branch, "patch_to_relay", (1,))
        np.testing.assert_array_equal(
            one.values, store.attention_map(branch, "patch_to_relay", 1).values
        )


@pytest.mark.parametrize(("blocks", "which"), [((0, 3), "block 3"), ((), "such range")])
def test_a_range_with_blocks_that_are_not_kept_is_refused(
    tmp_path: Path, blocks: tuple[int, ...], which: str
) -> None:
    store = marked_store(tmp_path / "s", Window(0, 0, 9, 9), (100, 100))
    with pytest.raises(UserError, match=f"no {which}.* keeps 0, 1, 2"):
        store.attention_map("local", "relay_to_patch", blocks)


def test_a_stack_has_the_maps_of_all_relay_tokens(tmp_path: Path) -> None:
    store = predicted(tmp_path / "s", attention_heads="all")
    for branch in ("local", "global"):
        for block, head in ((None, None), ((0, 1), 2), (1, None)):
            choice = AttentionChoice("relay_to_patch", block, head=head)
            stack = read_attention_stack(store.attention, branch, choice)
            for token in (None, 0, 1, 2, 3):
                parts = (branch, "relay_to_patch", block, token)
                alone = store.attention_map(*parts, head=head)
                one = stack.map(token)
                assert one[1:] == alone[1:]
                np.testing.assert_allclose(one.values, alone.values, rtol=1e-5)


@pytest.fixture(scope="module")
def ramp_store(tmp_path_factory: pytest.TempPathFactory) -> PredictionStore:
    """Weights that rise evenly from top to bottom: a cell's value tells where its middle is."""
    ramp = np.linspace(0, 1, 1100, dtype=np.float32)
    image = make_image(np.repeat(ramp[:, None, None], 400, axis=1))
    checkpoint = value_checkpoint(2, crop_size=128)
    folder = tmp_path_factory.mktemp("ramp") / "s"
    store = PredictionStore.create(folder, image, checkpoint, OPTIONS)
    list(predict(checkpoint, image, store, options=OPTIONS))
    return store


@pytest.mark.parametrize("branch", ["local", "global"])
@pytest.mark.parametrize("most", [2048, 8, 5, 2])
def test_every_map_lies_right_to_half_a_pixel_however_it_is_thinned(
    ramp_store: PredictionStore, branch: str, most: int
) -> None:
    window = Window(330, 50, 400, 300)
    found = ramp_store.attention_map(branch, "relay_to_patch", 0, 1, window, max_side=most)
    places = found.translate[0] + found.factor * np.arange(len(found.values))
    values = found.values[:, found.values.shape[1] // 2] * 1099
    inside = (places > 260) & (places < 840)  # farther out, crops reach into the reflection
    assert inside.sum() >= 2
    np.testing.assert_allclose(values[inside], places[inside], atol=0.5)


@pytest.mark.parametrize("blocks", [(2,), (-3,), ()])
def test_blocks_that_the_model_does_not_have_are_refused(
    tmp_path: Path, blocks: tuple[int, ...]
) -> None:
    options = PredictOptions(attention_blocks=blocks)
    with pytest.raises(UserError, match="blocks 0 to 1, or -2 to -1"):
        PredictionStore.create(tmp_path / "s", make_image(noise(64, 64)), tiny_relay(), options)


def test_heads_of_every_stage_of_a_swin_transformer_are_counted(tmp_path: Path) -> None:
    options = {"embed_dim": 24, "depths": (1, 2), "num_heads": (2, 3), "window_size": 4}
    config = RelayConfig("swinv2_tiny_window8_256", 2, crop_size=64, backbone_options=options)
    checkpoint = Checkpoint(RelaySegmenter(config), make_metadata(3, 2))
    wanted = PredictOptions(attention_heads="all")
    store = PredictionStore.create(tmp_path / "s", make_image(noise(64, 64)), checkpoint, wanted)
    assert store.header.attention is not None
    assert store.header.attention.heads == (2, 3, 3)
    assert store.header.attention.channel_count(8) == 2 * (2 + 1) * 3 * 4


@settings(max_examples=15, deadline=None)
@given(
    pace=st.integers(1, 5), side=st.integers(1, 6), repeat=st.integers(1, 3), seed=st.integers(0, 9)
)
def test_overlapping_crops_add_up_as_if_they_were_added_one_by_one(
    pace: int, side: int, repeat: int, seed: int
) -> None:
    blocks = np.random.default_rng(seed).random((3, side, 4, side)).astype(np.float32)
    wide = side * repeat
    expected = np.zeros((2 * pace + wide, 3 * pace + wide), np.float32)
    for row in range(3):
        for col in range(4):
            part = blocks[row, :, col].repeat(repeat, 0).repeat(repeat, 1)
            expected[row * pace : row * pace + wide, col * pace : col * pace + wide] += part
    np.testing.assert_allclose(overlapped(blocks, pace, repeat), expected, rtol=1e-5)
