"""Which crops to compute next, and which tile is finished next."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Mapping

import numpy as np

from napari_relay.geometry import TileGrid, Window
from napari_relay.inference.forward import CropResult
from napari_relay.inference.ordering import order_tiles

Index = tuple[int, int]

_WIDEST_BAND = 64


class TilePlan:
    """The tiles that are left, in order, and the crops kept for them.

    Tiles are finished strictly in order, each when the crops of all its
    neighbours are there. At most ``capacity`` crops are kept; the one that was
    longest of no use goes first and is asked for again when a tile needs it.
    """

    def __init__(self, grid: TileGrid, tiles: Collection[Index], capacity: int) -> None:
        self.grid = grid
        self._capacity = capacity
        self._kept: OrderedDict[Index, CropResult] = OrderedDict()
        self._missing = set(tiles)
        self._priority: Window | None = None
        self._sort()

    def _sort(self) -> None:
        tiles = np.array(sorted(self._missing), dtype=np.intp).reshape(-1, 2)
        # About three rows of a band are kept at a time: half of the capacity.
        width = min(max(self._capacity // 6, 2), _WIDEST_BAND)
        ordered = order_tiles(self.grid, tiles, self._priority, width)
        self._queue = [(int(row), int(col)) for row, col in ordered]
        self._next = 0

    def prioritise(self, window: Window | None) -> None:
        """Bring the tiles in ``window`` and those around it forward."""
        if window is not None and window != self._priority:
            self._priority = window
            self._sort()

    @property
    def front(self) -> Index | None:
        """The tile that is to be finished next; None when none is left."""
        return self._queue[self._next] if self._next < len(self._queue) else None

    @property
    def is_ready(self) -> bool:
        """Whether all crops over :attr:`front` are there."""
        front = self.front
        return front is not None and all(c in self._kept for c in self.grid.neighbours(*front))

    def wanted(self, count: int, underway: Collection[Index]) -> list[Index]:
        """The next ``count`` crops that are neither there nor ``underway``."""
        self._touch()
        found: dict[Index, None] = {}
        for tile in self._queue[self._next : self._next + self._capacity]:
            for crop in self.grid.neighbours(*tile):
                if len(found) == count:
                    return list(found)
                if crop not in self._kept and crop not in underway:
                    found[crop] = None
        return list(found)

    def _touch(self) -> None:
        """What the next tile needs is the last to be dropped."""
        if self.front is not None:
            for crop in self.grid.neighbours(*self.front):
                if crop in self._kept:
                    self._kept.move_to_end(crop)

    def add(self, crop: Index, result: CropResult) -> None:
        """Keep a crop's result."""
        self._kept[crop] = result
        if len(self._kept) > self._capacity:
            self._touch()
            self._kept.popitem(last=False)

    def crops_over(self, tile: Index) -> Mapping[Index, CropResult]:
        """The crops that :attr:`front` is blended from."""
        return {crop: self._kept[crop] for crop in self.grid.neighbours(*tile)}

    def finish(self, tile: Index) -> None:
        """Go on to the next tile and drop the crops that no tile needs any more."""
        self._missing.remove(tile)
        self._next += 1
        for crop in self.grid.neighbours(*tile):
            if self._missing.isdisjoint(self.grid.neighbours(*crop)):
                self._kept.pop(crop, None)
