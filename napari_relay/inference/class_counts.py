"""How many pixels of each class a prediction has, while it grows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_relay.inference.regions import TileRegion, split_grid
from napari_relay.inference.selection import TileMap
from napari_relay.inference.store import PredictionStore
from relay_tokens import IGNORE_INDEX


class ClassCounts:
    """Counts every pixel of the full resolution once.

    Not for two threads at once.

    Parameters
    ----------
    store
        What is counted.
    """

    def __init__(self, store: PredictionStore) -> None:
        self._store = store
        self._counted = np.zeros(store.grid.shape, dtype=np.bool_)
        self._pixels = np.zeros(len(store.classes), dtype=np.int64)

    @property
    def pixels(self) -> NDArray[np.int64]:
        """``(class,)``: pixels counted so far."""
        return self._pixels.copy()

    def count_new(self) -> Iterator[NDArray[np.int64]]:
        """Count the tiles that were finished since the last time, some at a time.

        Yields
        ------
        ndarray
            :attr:`pixels` after each part; stopping between two loses nothing.
        """
        new = self._store.finished & ~self._counted
        for region in split_grid(self._store.grid):
            here = _part(new, region)
            if here.any():
                self._pixels += self._count(region, here)
                _part(self._counted, region)[here] = True
                yield self.pixels

    def _count(self, region: TileRegion, tiles: TileMap) -> NDArray[np.int64]:
        rows, cols = (np.flatnonzero(tiles.any(axis=axis)) for axis in (1, 0))
        inner = tiles[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
        first = region.row + int(rows[0]), region.col + int(cols[0])
        window = TileRegion(*first, *inner.shape).window(self._store.grid)
        labels = self._store.read_labels(window)
        if not inner.all():
            side = self._store.grid.stride
            wanted = inner.repeat(side, axis=0).repeat(side, axis=1)
            labels = labels[wanted[: labels.shape[0], : labels.shape[1]]]
        found = np.bincount(labels.ravel(), minlength=IGNORE_INDEX + 1)
        return found[: len(self._pixels)].astype(np.int64)


def _part(tiles: TileMap, region: TileRegion) -> TileMap:
    """A view of a map of all tiles."""
    rows = slice(region.row, region.row + region.rows)
    return tiles[rows, region.col : region.col + region.cols]
