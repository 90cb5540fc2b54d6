"""Tiles without data, with nothing but glass or outside of what was asked for are not predicted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid, Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import (
    PredictionReport,
    PredictionStore,
    PredictOptions,
    WithReport,
    can_show_glass,
    predict,
)
from napari_relay.inference.glass import glass_tiles
from napari_relay.inference.selection import area_of, blocks_of, chosen_tiles
from napari_relay.inference.skipping import find_data, likely_blank
from relay_tokens import Checkpoint

from .samples import make_image, noise, tiny_relay, value_checkpoint

CPU = PredictOptions(device="cpu", batch_size=3, attention=False)
SKIP = PredictOptions(device="cpu", batch_size=3, attention=False, skip_glass=True)


def run(
    store: PredictionStore,
    checkpoint: Checkpoint,
    image: PyramidImage,
    options: PredictOptions = CPU,
) -> PredictionReport:
    results = WithReport(predict(checkpoint, image, store, options=options))
    done = [(result.done, result.total) for result in results]
    assert done == sorted(done)
    if done:
        assert done[-1] == (store.finished.size, store.finished.size)
    assert results.report is not None
    return results.report


def labels_of(store: PredictionStore) -> NDArray[np.uint8]:
    return store.read_labels(Window(0, 0, *store.shape))


def mostly_empty(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Nodata (9) but for a block and a single pixel; classes 0 to 4."""
    pixels = np.full((height, width, 1), 9, np.uint8)
    pixels[20:70, 30:90] = np.random.default_rng(seed).integers(0, 5, (50, 60, 1))
    pixels[-9, -9] = 3
    return pixels


def test_only_tiles_with_data_run_and_even_a_single_pixel_counts(tmp_path: Path) -> None:
    pixels, checkpoint = mostly_empty(700, 800), value_checkpoint()
    image = make_image(pixels, 4, nodata=9)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    report = run(store, checkpoint, image)
    expected = np.where(pixels[..., 0] == 9, 255, pixels[..., 0])
    np.testing.assert_array_equal(labels_of(store), expected)
    with_data = [
        (pixels[store.grid.tile(*tile).slices] != 9).any() for tile in np.ndindex(store.grid.shape)
    ]
    np.testing.assert_array_equal(store.finished.ravel(), with_data)
    np.testing.assert_array_equal(store.skipped, ~store.finished)
    # The crops around the tiles with data, and no other.
    assert sum(checkpoint.model.calls) <= 9 * sum(with_data)
    assert report.predicted == sum(with_data)
    assert report.skipped == len(with_data) - sum(with_data)
    assert report.skipped_share == area_of(store.grid, store.skipped) / (700 * 800)


def test_data_that_a_coarse_level_lacks_is_found(tmp_path: Path) -> None:
    pixels, checkpoint = mostly_empty(500, 500), value_checkpoint()
    empty = make_image(np.full_like(pixels, 9), 4, nodata=9)
    image = PyramidImage(
        (make_image(pixels).levels[0], *empty.levels[1:]),
        empty.factors,
        empty.bands,
        empty.source,
        nodata=9,
    )
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    run(store, checkpoint, image)
    expected = np.where(pixels[..., 0] == 9, 255, pixels[..., 0])
    np.testing.assert_array_equal(labels_of(store), expected)


def test_an_image_without_any_data_is_skipped_whole(tmp_path: Path) -> None:
    checkpoint = value_checkpoint()
    image = make_image(np.zeros((300, 300, 1), np.uint8), nodata=0)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    report = run(store, checkpoint, image)
    assert store.skipped.all()
    assert checkpoint.model.calls == []
    assert report.predicted == 0
    assert report.skipped_share == 1
    assert report.seam_score is None
    again = run(store, checkpoint, image)
    assert again.skipped == report.skipped


@settings(max_examples=15, deadline=None)
@given(height=st.integers(1, 200), width=st.integers(1, 200), seed=st.integers(0, 99))
def test_what_has_data_is_found_exactly_block_by_block(height: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    pixels = (rng.random((height, width, 1)) < 0.002).astype(np.uint8)
    image, grid = make_image(pixels, nodata=0), TileGrid(height, width, 12, 2)
    wanted = rng.random(grid.shape) < 0.7
    seen = np.zeros(grid.shape, int)
    for block in blocks_of(wanted):
        seen[block.slices] += 1
        expected = [
            [
                pixels[grid.tile(i, j).slices].any()
                for j in range(block.col, block.col + block.width)
            ]
            for i in range(block.row, block.row + block.height)
        ]
        np.testing.assert_array_equal(find_data(image, grid, block), expected)
    assert (seen[wanted] == 1).all()
    assert seen.max(initial=0) <= 1


def test_tiles_around_which_a_coarse_level_has_data_are_not_taken_for_blank() -> None:
    pixels = mostly_empty(700, 800)
    image, grid = make_image(pixels, 4, nodata=9), TileGrid(700, 800, 48, 8)
    chosen = np.ones(grid.shape, bool)
    blank = likely_blank(image, grid, chosen)
    assert blank.mean() > 0.8
    for i, j in np.argwhere(blank):
        assert (pixels[grid.tile(i, j).slices] == 9).all()


def slide(height: int = 800, width: int = 900, glass: int = 240) -> NDArray[np.uint8]:
    """Glass with a little noise, a pink piece of tissue and a faint, thin strand of it."""
    rng = np.random.default_rng(0)
    pixels = np.full((height, width, 3), glass, np.int16)
    pixels[100:300, 100:350] = (210, 130, 180)
    pixels[600:604, 500:880] -= np.array((8, 30, 12), np.int16)
    pixels += rng.integers(-3, 4, pixels.shape).astype(np.int16)
    return pixels.clip(0, 255).astype(np.uint8)


def slide_image(pixels: NDArray[np.uint8], **fields: object) -> PyramidImage:
    place = {"pixel_size": (1.0, 1.0), "unit": "um", "bands": ("red", "green", "blue")}
    return make_image(pixels, **{**place, **fields})


def test_no_tile_with_tissue_is_taken_for_glass_and_most_glass_is() -> None:
    image, grid = slide_image(slide()), TileGrid(800, 900, 48, 8)
    glass = glass_tiles(image, grid, np.ones(grid.shape, bool))
    for part in (Window(100, 100, 200, 250), Window(600, 500, 4, 380)):
        assert not glass[grid.slices_of(part)].any()
        assert not glass[grid.slices_of(part.expanded(60))].any()
    assert glass.mean() > 0.4
    far = ~chosen_tiles(grid, [Window(20, 20, 360, 410), Window(520, 420, 164, 480)])
    assert glass[far].mean() > 0.95


def test_without_bare_glass_no_tile_is_taken_for_it() -> None:
    grid = TileGrid(800, 900, 48, 8)
    for pixels in (slide(glass=120), np.full((800, 900, 3), (250, 200, 230), np.uint8)):
        assert not glass_tiles(slide_image(pixels), grid, np.ones(grid.shape, bool)).any()


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_what_is_glass_does_not_depend_on_what_else_is_asked_about(data: st.DataObject) -> None:
    image, stride = slide_image(slide()), data.draw(st.sampled_from([7, 16, 50]))
    grid = TileGrid(800, 900, stride, 0)
    rows, cols = (sorted(data.draw(st.tuples(*[st.integers(0, n)] * 2))) for n in grid.shape)
    among = np.zeros(grid.shape, bool)
    among[slice(*rows), slice(*cols)] = True
    everywhere = glass_tiles(image, grid, np.ones(grid.shape, bool))
    assert (glass_tiles(image, grid, among) == everywhere & among).all()


def test_only_slides_of_red_green_and_blue_in_micrometres_can_show_glass() -> None:
    pixels = np.full((64, 64, 3), 240, np.uint8)
    assert can_show_glass(slide_image(pixels))
    assert not can_show_glass(slide_image(pixels, unit="m"))
    assert not can_show_glass(make_image(pixels))


def test_skipping_glass_changes_no_pixel_that_is_predicted(tmp_path: Path) -> None:
    image, checkpoint = slide_image(slide()[:330, :390]), tiny_relay()
    fields = {"bands": ("red", "green", "blue")}
    checkpoint = Checkpoint(
        checkpoint.model, type(checkpoint.metadata)(**{**vars(checkpoint.metadata), **fields})
    )
    whole = PredictionStore.create(tmp_path / "whole", image, checkpoint, CPU)
    run(whole, checkpoint, image)
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, SKIP)
    report = run(store, checkpoint, image, SKIP)
    assert 0 < report.skipped < store.finished.size
    kept = np.kron(store.finished, np.ones((store.grid.stride,) * 2, bool))[:330, :390]
    expected = np.where(kept, labels_of(whole), 255)
    np.testing.assert_array_equal(labels_of(store), expected)

    assert run(store, checkpoint, image, SKIP).predicted == 0
    wanted_after_all = run(store, checkpoint, image, CPU)
    assert wanted_after_all.predicted == report.skipped
    np.testing.assert_array_equal(labels_of(store), labels_of(whole))


def test_only_tiles_that_meet_a_polygon_are_predicted(tmp_path: Path) -> None:
    image, checkpoint = make_image(noise(300, 300)), tiny_relay()
    store = PredictionStore.create(tmp_path / "s", image, checkpoint, CPU)
    triangle = np.array([[10, 10], [280, 10], [280, 40.0]])
    results = list(predict(checkpoint, image, store, [triangle], CPU))
    tiles = store.grid.tiles_in_polygon(triangle)
    assert sorted(map(tuple, np.argwhere(store.finished))) == tiles
    assert 0 < len(tiles) == results[-1].total < store.finished.size / 2
