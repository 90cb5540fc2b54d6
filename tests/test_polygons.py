"""Which tiles a polygon meets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_relay.geometry import TileGrid, Window

GRID = TileGrid(500, 620, 48, 8)


@settings(max_examples=50, deadline=None)
@given(
    y=st.integers(-100, 600),
    x=st.integers(-100, 700),
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    turn=st.booleans(),
)
@example(y=48, x=96, height=48, width=48, turn=False)
def test_a_rectangle_meets_the_tiles_that_its_window_meets(
    y: int, x: int, height: int, width: int, turn: bool
) -> None:
    window = Window(y, x, height, width)
    # A window's edges are half a pixel beyond its outermost pixel middles.
    corners = np.array([(y, x), (y, x + width), (y + height, x + width), (y + height, x)]) - 0.5
    found = GRID.tiles_in_polygon(corners[::-1] if turn else corners)
    assert found == GRID.tiles_in(window)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-50, 550), st.floats(-50, 650)), min_size=3, max_size=3))
def test_a_triangle_meets_every_tile_with_a_pixel_middle_inside(
    corners: list[tuple[float, float]],
) -> None:
    triangle = np.array(corners)
    rows, cols = np.mgrid[:500:4, :620:4].reshape(2, -1)
    sides = [
        (b[1] - a[1]) * (rows - a[0]) - (b[0] - a[0]) * (cols - a[1])
        for a, b in zip(triangle, np.roll(triangle, -1, axis=0), strict=True)
    ]
    inside = np.all(np.array(sides) > 1e-6, axis=0) | np.all(np.array(sides) < -1e-6, axis=0)
    expected = set(zip((rows[inside] // 48).tolist(), (cols[inside] // 48).tolist(), strict=True))
    found = GRID.tiles_in_polygon(triangle)
    assert expected <= set(found)
    assert found == sorted(found)


def test_only_what_the_outline_encloses_counts_and_not_its_bounding_box() -> None:
    corner = np.array([[0, 0], [499, 0], [499, 40.0]])
    assert GRID.tiles_in_polygon(corner) == [(i, 0) for i in range(11)]


def test_both_halves_of_an_outline_that_crosses_itself_count() -> None:
    bow = np.array([[0, 0], [0, 600], [400, 0], [400, 600.0]])
    found = GRID.tiles_in_polygon(bow)
    assert {(0, 6), (7, 6)} <= set(found)


def test_a_polygon_beside_the_image_or_without_area_meets_nothing() -> None:
    assert GRID.tiles_in_polygon(np.array([[-90, -90], [-90, -10], [-10, -10.0]])) == []
    assert GRID.tiles_in_polygon(np.array([[10, 10], [90, 90], [10, 10.0]])) == []


@pytest.mark.parametrize("shape", [(2, 2), (4, 3), (6,)])
def test_an_array_that_is_no_polygon_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="not a polygon"):
        GRID.tiles_in_polygon(np.zeros(shape))
