"""Which crops to compute next, and which tile is finished next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping

import numpy as np

from napari_relay.geometry import TileGrid, Window
from napari_relay.inference.forward import CropResult
from napari_relay.inference.ordering import order_tiles
from napari_relay.inference.selection import TileMap

Index = tuple[int, int]

_WIDEST_BAND = 64


class TilePlan:
    """The tiles that are left, in order, and the crops kept for them.

    Tiles are finished strictly in order, each when the crops of all its
    neighbours are there. At most ``capacity`` crops are kept; the one that was
    longest of no use goes first and is asked for again when a tile needs it.

    Parameters
    ----------
    grid
        The grid the tiles belong to.
    tiles
        Those to predict.
    capacity
        Crops to keep at most.
    blank
        Crops without any data, as far as known; nothing is computed or kept of
        them. The plan adds to it.
    """

    def __init__(self, grid: TileGrid, tiles: TileMap, capacity: int, blank: TileMap) -> None:
        self.grid = grid
        self._capacity = capacity
        self._kept: OrderedDict[Index, CropResult] = OrderedDict()
        self._missing = tiles.copy()
        self._blank = blank
        self._priority: Window | None = None
        self._sort()

    def _sort(self) -> None:
        # About three rows of a band are kept at a time: half of the capacity.
        width = min(max(self._capacity // 6, 2), _WIDEST_BAND)
        tiles = np.argwhere(self._missing)
        self._queue = order_tiles(self.grid, tiles, self._priority, width).astype(np.int32)
        self._next = 0

    def prioritise(self, window: Window | None) -> None:
        """Bring the tiles in ``window`` and those around it forward."""
        if window is not None and window != self._priority:
            self._priority = window
            self._sort()

    @property
    def front(self) -> Index | None:
        """The tile that is to be finished next; None when none is left."""
        while self._next < len(self._queue):
            row, col = self._queue[self._next].tolist()
            if self._missing[row, col]:
                return row, col
            self._next += 1
        return None

    @property
    def is_ready(self) -> bool:
        """Whether all crops over :attr:`front` are there."""
        front = self.front
        return front is not None and all(map(self._is_known, self.grid.neighbours(*front)))

    def _is_known(self, crop: Index) -> bool:
        return crop in self._kept or bool(self._blank[crop])

    def wanted(self, count: int, underway: Collection[Index]) -> list[Index]:
        """The next ``count`` crops that are neither there nor ``underway``."""
        self._touch()
        found: dict[Index, None] = {}
        for row, col in self._queue[self._next : self._next + self._capacity].tolist():
            if not self._missing[row, col]:
                continue
            for crop in self.grid.neighbours(row, col):
                if len(found) == count:
                    return list(found)
                if crop not in underway and not self._is_known(crop):
                    found[crop] = None
        return list(found)

    def _touch(self) -> None:
        """What the next tile needs is the last to be dropped."""
        if self.front is not None:
            for crop in self.grid.neighbours(*self.front):
                if crop in self._kept:
                    self._kept.move_to_end(crop)

    def is_missing(self, tile: Index) -> bool:
        """Whether a tile is among those that are left."""
        return bool(self._missing[tile])

    def is_needed(self, crop: Index) -> bool:
        """Whether a tile that is left is blended from ``crop``."""
        row, col = crop
        around = self._missing[max(row - 1, 0) : row + 2, max(col - 1, 0) : col + 2]
        return bool(around.any())

    def add(self, crop: Index, result: CropResult) -> None:
        """Keep a crop's result."""
        self._kept[crop] = result
        if len(self._kept) > self._capacity:
            self._touch()
            self._kept.popitem(last=False)

    def add_blank(self, crop: Index) -> None:
        """Note that a crop has no data at all."""
        self._blank[crop] = True

    def crops_over(self, tile: Index) -> Mapping[Index, CropResult]:
        """The crops that :attr:`front` is blended from, in the grid's order."""
        neighbours = self.grid.neighbours(*tile)
        return {crop: self._kept[crop] for crop in neighbours if not self._blank[crop]}

    def remove(self, tile: Index) -> None:
        """Take a tile off, finished or not, and drop the crops that no tile needs any more."""
        self._missing[tile] = False
        for crop in self.grid.neighbours(*tile):
            if not self.is_needed(crop):
                self._kept.pop(crop, None)
