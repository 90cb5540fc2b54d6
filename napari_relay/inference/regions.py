"""Parts of the tile grid that different processes may write at once."""

from __future__ import annotations

import math
from typing import NamedTuple

from napari_relay.geometry import TileGrid, Window
from napari_relay.inference.sharding import tiles_a_shard


class TileRegion(NamedTuple):
    """A rectangle of tiles that fill whole shards of every array."""

    row: int
    """First tile row."""
    col: int
    """First tile column."""
    rows: int
    """Number of tile rows."""
    cols: int
    """Number of tile columns."""

    @property
    def tiles(self) -> list[tuple[int, int]]:
        """Positions of its tiles in the grid, row by row."""
        rows, cols = range(self.row, self.row + self.rows), range(self.col, self.col + self.cols)
        return [(i, j) for i in rows for j in cols]

    def window(self, grid: TileGrid) -> Window:
        """Its pixels, cut at the image's edge."""
        first = grid.tile(self.row, self.col)
        last = grid.tile(self.row + self.rows - 1, self.col + self.cols - 1)
        return first._replace(height=last.y1 - first.y0, width=last.x1 - first.x0)


def split_grid(grid: TileGrid, least: int = 1) -> list[TileRegion]:
    """All tiles of a grid in regions of whole shards, row by row.

    Parameters
    ----------
    least
        Tiles that a region has at least on a side, where the grid is as large.
    """
    whole = tiles_a_shard(grid.stride)
    side = math.ceil(least / whole) * whole
    rows, cols = grid.shape
    return [
        TileRegion(i, j, min(side, rows - i), min(side, cols - j))
        for i in range(0, rows, side)
        for j in range(0, cols, side)
    ]
