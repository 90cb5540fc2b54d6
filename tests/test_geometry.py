from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import TileGrid, Window, level_translate, reflect_indices

PLACES = st.integers(-30, 30)
SIDES = st.integers(0, 25)
WINDOWS = st.builds(Window, PLACES, PLACES, SIDES, SIDES)
GRIDS = st.integers(1, 12).flatmap(
    lambda stride: st.builds(
        TileGrid,
        st.integers(1, 5 * stride),
        st.integers(1, 5 * stride),
        st.just(stride),
        st.integers(0, stride // 2),
    )
)
QUICK = settings(max_examples=80, deadline=None)


def cells(window: Window) -> set[tuple[int, int]]:
    return {(y, x) for y in range(window.y0, window.y1) for x in range(window.x0, window.x1)}


@QUICK
@given(WINDOWS, WINDOWS)
def test_an_intersection_has_exactly_the_shared_pixels(one, other):
    shared = one.intersection(other)
    assert cells(shared) == cells(one) & cells(other)
    assert shared.area == len(cells(shared))
    assert one.intersects(other) == bool(cells(one) & cells(other)) == other.intersects(one)


@QUICK
@given(WINDOWS, st.integers(0, 9))
def test_expanding_keeps_the_middle_and_can_be_undone(window, margin):
    wide = window.expanded(margin)
    assert wide.center == window.center
    assert wide.expanded(-margin) == window
    assert (wide.height, wide.width) == (window.height + 2 * margin, window.width + 2 * margin)


@QUICK
@given(WINDOWS, st.integers(1, 8))
def test_a_global_window_is_wider_around_the_same_middle(window, factor):
    wide = window.around(factor)
    assert (wide.height, wide.width) == (factor * window.height, factor * window.width)
    for moved, side in zip(np.subtract(wide.center, window.center), window[2:], strict=True):
        assert moved == (0.5 if (factor - 1) * side % 2 else 0.0)


def test_slices_cut_the_window_out_of_an_array():
    pixels = np.arange(30).reshape(5, 6)
    np.testing.assert_array_equal(pixels[Window(1, 2, 3, 2).slices], pixels[1:4, 2:4])


@QUICK
@given(st.integers(-40, 40), st.integers(0, 40), st.integers(1, 9))
def test_reflection_is_that_of_numpy(start, count, length):
    padded = np.pad(np.arange(length), 100, mode="reflect")
    found = reflect_indices(start, start + count, length)
    np.testing.assert_array_equal(found, padded[100 + start : 100 + start + count])


def test_nothing_cannot_be_reflected():
    with pytest.raises(ValueError, match="0 pixels"):
        reflect_indices(0, 3, 0)


@pytest.mark.parametrize("factor", [1, 2, 4, 16, 32])
def test_a_coarse_pixel_lies_in_the_middle_of_the_fine_ones_it_covers(factor):
    assert level_translate(factor) == np.arange(factor).mean()


@QUICK
@given(GRIDS)
def test_tiles_cover_every_pixel_once(grid):
    count = np.zeros((grid.height, grid.width), int)
    for row, col in np.ndindex(grid.shape):
        tile = grid.tile(row, col)
        assert tile.area > 0
        count[tile.slices] += 1
    assert (count == 1).all()


@QUICK
@given(GRIDS)
def test_a_crop_is_its_tile_with_a_halo(grid):
    for row, col in np.ndindex(grid.shape):
        crop, tile = grid.crop(row, col), grid.tile(row, col)
        assert (crop.height, crop.width) == (grid.crop_size, grid.crop_size)
        assert (crop.y0, crop.x0) == (tile.y0 - grid.halo, tile.x0 - grid.halo)
        assert crop.intersection(tile) == tile


@QUICK
@given(GRIDS)
def test_neighbours_are_all_tiles_whose_crops_can_overlap(grid):
    tiles = list(np.ndindex(grid.shape))
    for tile in tiles:
        found = list(grid.neighbours(*tile))
        overlapping = {t for t in tiles if grid.crop(*t).intersects(grid.crop(*tile))}
        assert overlapping <= set(found)
        assert tile in found
        assert found == sorted(set(found))
        if grid.halo:
            assert overlapping == set(found)


@QUICK
@given(GRIDS, WINDOWS)
def test_tiles_in_a_window_are_those_that_share_a_pixel_with_it(grid, window):
    expected = [t for t in np.ndindex(grid.shape) if grid.tile(*t).intersects(window)]
    assert grid.tiles_in(window) == expected


@pytest.mark.parametrize("values", [(0, 5, 2, 0), (5, 5, 0, 0), (5, 5, 4, 3), (5, 5, 4, -1)])
def test_an_impossible_grid_is_refused(values):
    with pytest.raises(ValueError, match="not a tile grid"):
        TileGrid(*values)
