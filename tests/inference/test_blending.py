from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import TileGrid, Window
from napari_relay.inference.blending import blend_tile, classify, weight_window
from napari_relay.inference.ordering import order_tiles


def cut(grid: TileGrid, truth: torch.Tensor, weight: torch.Tensor) -> dict:
    """Every crop of an image that is zero outside, times the weight."""
    pad = grid.crop_size
    padded = torch.nn.functional.pad(truth, (pad, pad, pad, pad))
    crops = {}
    for i, j in np.ndindex(grid.shape):
        rows, cols = grid.crop(i, j).slices
        part = padded[:, rows.start + pad : rows.stop + pad, cols.start + pad : cols.stop + pad]
        crops[i, j] = part * weight
    return crops


@settings(max_examples=20, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    crop_and_halo=st.sampled_from([(16, 0), (16, 3), (32, 8)]),
)
def test_stitching_identity_tiles_returns_the_image(
    height: int, width: int, crop_and_halo: tuple[int, int]
) -> None:
    crop, halo = crop_and_halo
    grid = TileGrid(height, width, crop - 2 * halo, halo)
    truth = torch.rand(2, height, width, generator=torch.Generator().manual_seed(1))
    weight = weight_window(grid)
    crops = cut(grid, truth, weight)
    stitched = torch.zeros_like(truth)
    for i, j in np.ndindex(grid.shape):
        stitched[:, *grid.tile(i, j).slices] = blend_tile(grid, (i, j), crops, weight)
    torch.testing.assert_close(stitched, truth)


@pytest.mark.parametrize(("crop", "halo"), [(256, 32), (64, 16), (64, 0)])
def test_weights_are_positive_and_neighbours_add_up_to_one(crop: int, halo: int) -> None:
    weight = weight_window(TileGrid(500, 500, crop - 2 * halo, halo))
    assert weight.min() > 0
    overlap = 2 * halo
    line = weight.diagonal().sqrt()
    both = line[crop - overlap :] + line[:overlap]
    torch.testing.assert_close(both, torch.ones(overlap))


def test_the_first_of_equally_probable_classes_wins() -> None:
    label, confidence = classify(torch.tensor([0.1, 0.45, 0.45])[:, None, None])
    assert label.item() == 1
    assert confidence.item() == round(0.45 * 255)


def test_a_confidence_is_never_zero_which_means_not_predicted() -> None:
    _, confidence = classify(torch.full((1000, 1, 1), 0.001))
    assert confidence.item() == 1


@settings(max_examples=20, deadline=None)
@given(y=st.integers(-100, 2000), x=st.integers(-100, 2000), side=st.integers(1, 600))
def test_the_order_is_a_permutation_that_begins_with_the_priority_window(
    y: int, x: int, side: int
) -> None:
    grid = TileGrid(1700, 1900, 96, 16)
    tiles = np.array(list(np.ndindex(grid.shape)))
    window = Window(y, x, side, side)
    ordered = order_tiles(grid, tiles[::-1], window, 4).tolist()
    assert sorted(ordered) == tiles.tolist()
    inside = [list(t) for t in grid.tiles_in(window)]
    assert sorted(ordered[: len(inside)]) == sorted(inside)


def test_a_tile_comes_before_those_twice_as_far_away() -> None:
    grid = TileGrid(9600, 9600, 96, 16)
    tiles = np.array(list(np.ndindex(grid.shape)))
    ordered = order_tiles(grid, tiles, Window(4800, 4800, 96 * 4, 96 * 4), 8)
    distance = np.maximum(np.maximum(50 - ordered, ordered - 53), 0).max(axis=1)
    farthest_yet = np.maximum.accumulate(distance)
    assert (farthest_yet <= 2 * distance + 4).all()


def test_without_a_priority_only_a_few_rows_of_a_band_are_open_at_a_time() -> None:
    grid = TileGrid(4800, 9600, 96, 16)
    ordered = order_tiles(grid, np.array(list(np.ndindex(grid.shape))), None, 10)
    for start in range(0, len(ordered), 500):
        rows = ordered[start : start + 10, 0]
        assert np.ptp(rows) <= 1
