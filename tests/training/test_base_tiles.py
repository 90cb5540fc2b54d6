from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_relay.training import ArrayLabels, labelled_image, split_image
from napari_relay.training.base_tile_draw import _likely, _systematic, draw_base_tiles
from napari_relay.training.base_tiles import (
    NO_TILES,
    count_base_tiles,
    read_base_tiles,
    write_base_tiles,
)
from relay_tokens import (
    IGNORE_INDEX,
    Checkpoint,
    UserError,
    load_checkpoint,
    save_checkpoint,
    zoo_folder,
)
from tests.training.scenes import METADATA, blobs, pyramid, tiny_model

CONFIG = tiny_model().config
IMAGE, LABELS = blobs()


@pytest.fixture
def written(tmp_path: Path) -> Path:
    split = split_image(IMAGE.shape, 64, 0.2, 0, LABELS)
    tiles = draw_base_tiles([labelled_image(IMAGE, LABELS, split)], CONFIG, METADATA)
    write_base_tiles(tmp_path / "base_tiles.npz", tiles)
    return tmp_path / "base_tiles.npz"


def test_tiles_come_back_as_they_were_but_for_what_nobody_sees(tmp_path: Path) -> None:
    split = split_image(IMAGE.shape, 64, 0.2, 0, LABELS)
    tiles = draw_base_tiles([labelled_image(IMAGE, LABELS, split)], CONFIG, METADATA)
    write_base_tiles(tmp_path / "tiles.npz", tiles)
    again = read_base_tiles(tmp_path / "tiles.npz", CONFIG)
    assert len(again.learnt) == len(tiles.learnt) > 3
    assert len(again.measured) == len(tiles.measured) > 3
    assert again.weights == pytest.approx(tiles.weights)
    assert count_base_tiles(tmp_path / "tiles.npz") == len(tiles.learnt)
    for one, other in zip(
        (*tiles.learnt, *tiles.measured), (*again.learnt, *again.measured), strict=True
    ):
        assert np.array_equal(one.labels, other.labels)
        for exact, read in (
            (one.crops.local, other.crops.local),
            (one.crops.global_, other.crops.global_),
        ):
            assert exact is not None
            assert read is not None
            assert np.abs(exact - read).mean() <= 0.02 * np.ptp(exact)


def test_what_is_learnt_shares_no_pixel_with_what_is_measured_on() -> None:
    # An image of its own coordinates: each pixel of a tile says where it comes from.
    side = 256
    split = split_image((side, side), 64, 0.2, 0)
    rows, cols = np.mgrid[:side, :side].astype(np.float32)
    pixels = np.stack([rows, cols, rows], axis=-1)
    plain = replace(METADATA, mean=(0.0,) * 3, std=(1.0,) * 3)
    labels = ArrayLabels(np.zeros((side, side), np.uint8))
    tiles = draw_base_tiles([labelled_image(pyramid(pixels), labels, split)], CONFIG, plain)
    held_out = np.zeros((side, side), bool)
    for block in split.held_out:
        held_out[block.slices] = True
    for examples, expected in ((tiles.learnt, False), (tiles.measured, True)):
        assert examples
        for example in examples:
            said = example.labels != IGNORE_INDEX
            y, x = (example.crops.local[k][said & example.crops.valid] for k in (0, 1))
            assert (held_out[np.rint(y).astype(int), np.rint(x).astype(int)] == expected).all()


def test_little_data_gives_no_more_tiles_than_cover_it_twice() -> None:
    image, labels = blobs(320)
    split = split_image(image.shape, CONFIG.crop_size, 0.2, 0, labels)
    tiles = draw_base_tiles([labelled_image(image, labels, split)], CONFIG, METADATA)
    count = len(tiles.learnt) + len(tiles.measured)
    assert 12 < count <= 2 * (320 / CONFIG.crop_size) ** 2


@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_each_window_is_drawn_with_the_chance_that_its_weight_makes_up_for(
    seed: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    interest = 0.5 + 10 * rng.random(60) ** 4
    likely = _likely(interest, count)
    assert likely.sum() == pytest.approx(count)
    assert likely.max() <= 1
    starts = np.linspace(0, 1, 200, endpoint=False)
    drawn = [_systematic(likely, float(start)) for start in starts]
    assert {len(one) for one in drawn} == {count}
    often = np.bincount(np.concatenate(drawn), minlength=60) / len(starts)
    # A chance is a length of starts, of which so many points miss two ends at most.
    assert np.abs(often - likely).max() <= 2 / len(starts) + 1e-6


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
    assert shipped.base_tiles.stat().st_size < 5_000_000
    tiles = read_base_tiles(shipped.base_tiles, shipped.model.config)
    labels = np.concatenate([e.labels.ravel() for e in tiles.measured])
    classes = range(shipped.model.config.num_classes)
    assert set(classes) <= set(np.unique(labels).tolist())
