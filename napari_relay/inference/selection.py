"""Which tiles of the grid a person asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid, Window

Area = Window | NDArray[np.float64]
"""A window, or a polygon: ``(n, 2)`` level-0 ``(row, col)`` of its corners."""
TileMap = NDArray[np.bool_]
"""``(tile rows, tile columns)`` of a grid."""

_BLOCK = 16


def chosen_tiles(grid: TileGrid, areas: Sequence[Area] | None) -> TileMap:
    """Tiles that meet any of the areas; all of them for None.

    Raises
    ------
    ValueError
        When an area is neither a window nor the corners of a polygon.
    """
    chosen = np.full(grid.shape, areas is None)
    for area in areas or ():
        if isinstance(area, Window):
            chosen[grid.slices_of(area)] = True
        else:
            chosen[_index(grid.tiles_in_polygon(area))] = True
    return chosen


def _index(tiles: list[tuple[int, int]]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, cols = np.array(tiles, dtype=np.intp).reshape(-1, 2).T
    return rows, cols


class Block(NamedTuple):
    """A rectangle of tiles."""

    row: int
    """First tile row."""
    col: int
    """First tile column."""
    height: int
    """Number of tile rows."""
    width: int
    """Number of tile columns."""

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the block in a map of tiles."""
        return (
            slice(self.row, self.row + self.height),
            slice(self.col, self.col + self.width),
        )

    def positions(self, tiles: TileMap) -> list[tuple[int, int]]:
        """Positions in the grid of those that are set in ``tiles``, a map of the block."""
        return [(self.row + i, self.col + j) for i, j in np.argwhere(tiles).tolist()]

    def window(self, grid: TileGrid) -> Window:
        """Level-0 pixels of the block, cut at the image's edge."""
        first = grid.tile(self.row, self.col)
        last = grid.tile(self.row + self.height - 1, self.col + self.width - 1)
        return Window(first.y0, first.x0, last.y1 - first.y0, last.x1 - first.x0)


def blocks_of(tiles: TileMap) -> Iterator[Block]:
    """Blocks of up to 16 × 16 tiles, row by row, that hold all of ``tiles``; none is empty."""
    for i in range(0, tiles.shape[0], _BLOCK):
        strip = tiles[i : i + _BLOCK]
        for j in np.unique(np.flatnonzero(strip.any(axis=0)) // _BLOCK) * _BLOCK:
            rows, cols = (
                np.flatnonzero(strip[:, j : j + _BLOCK].any(axis=axis)) for axis in (1, 0)
            )
            yield Block(
                i + int(rows[0]), int(j + cols[0]), int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1
            )


def area_of(grid: TileGrid, tiles: TileMap) -> int:
    """Pixels of the image in ``tiles``."""
    sides = (
        np.minimum(grid.stride, size - grid.stride * np.arange(count))
        for size, count in zip((grid.height, grid.width), grid.shape, strict=True)
    )
    rows, cols = sides
    return int(rows @ tiles @ cols)
