"""How many pixels of each value corrections have, counted again only where they changed."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_relay.annotation.pyramid import EditablePyramid
from napari_relay.geometry import Window
from relay_tokens import IGNORE_INDEX

_PART = 16

_Chunk = tuple[int, int]


class ValueCounts:
    """Follows a pyramid; any thread may paint, one at a time may count.

    Parameters
    ----------
    pyramid
        What is counted.
    """

    def __init__(self, pyramid: EditablePyramid) -> None:
        self._pyramid = pyramid
        self._side = pyramid[0].chunks
        self._lock = threading.Lock()
        self._counts: dict[_Chunk, NDArray[np.int64]] = {}
        self._changed: set[_Chunk] = set()
        self._total = np.zeros(IGNORE_INDEX + 1, np.int64)
        pyramid.changed.connect(self._on_changed)

    @property
    def values(self) -> NDArray[np.int64]:
        """``(256,)`` level-0 pixels of each value; 255, which is not painted, counts 0."""
        total = self._total.copy()
        total[IGNORE_INDEX] = 0
        return total

    def count_new(self) -> Iterator[NDArray[np.int64]]:
        """Count what is new or has changed, some chunks at a time, and yield :attr:`values`."""
        with self._lock:
            changed, self._changed = self._changed, set()
        known = self._pyramid.corrected_areas()
        todo = {
            chunk: area
            for area in known
            if (chunk := self._chunk(area)) in changed or chunk not in self._counts
        }
        try:
            while todo:
                for chunk in list(todo)[:_PART]:
                    self._count(chunk, todo[chunk])
                    del todo[chunk]
                yield self.values
        finally:
            with self._lock:
                self._changed |= set(todo)

    def close(self) -> None:
        """Follow the pyramid no more."""
        self._pyramid.changed.disconnect(self._on_changed)

    def _chunk(self, area: Window) -> _Chunk:
        return area.y0 // self._side[0], area.x0 // self._side[1]

    def _count(self, chunk: _Chunk, area: Window) -> None:
        counts = np.bincount(self._pyramid.read(area).ravel(), minlength=IGNORE_INDEX + 1)
        self._total += counts - self._counts.get(chunk, 0)
        self._counts[chunk] = counts

    def _on_changed(self, window: Window) -> None:
        (height, width), (y1, x1) = self._side, (window.y1 - 1, window.x1 - 1)
        rows = range(window.y0 // height, y1 // height + 1)
        cols = range(window.x0 // width, x1 // width + 1)
        with self._lock:
            self._changed.update((row, col) for row in rows for col in cols)
