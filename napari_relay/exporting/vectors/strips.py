"""A prediction, some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.inference.levels import LevelArray
from napari_relay.inference.sharding import pixel_sharding
from napari_relay.inference.store import PredictionStore

Bytes = NDArray[np.uint8]

_PIXELS = 2**24
"""Pixels of a strip, where one row of chunks does not have more."""
_RUNS = 2**20
"""Changes of the label along the rows of a strip; more than a real mask has."""


@dataclass(frozen=True)
class Strip:
    """All columns of some rows; each array is ``(rows, cols)``."""

    y0: int
    """First row."""
    labels: Bytes
    """255: not predicted."""
    confidence: Bytes
    """1 ... 255 for 0 ... 1."""
    disagreement: Bytes | None
    """1 ... 255 for 0 ... 1; None for a model of one scale."""

    @property
    def window(self) -> Window:
        """Where it lies."""
        return Window(self.y0, 0, *self.labels.shape)


def strip_count(store: PredictionStore) -> int:
    """How many parts :func:`read_strips` reads a store in."""
    return -(-store.shape[0] // _height(store))


def read_strips(store: PredictionStore) -> Iterator[Strip]:
    """Read a store once, from top to bottom, by whole rows of chunks."""
    rows, cols = store.shape
    step = _height(store)
    for y0 in range(0, rows, step):
        stop = min(y0 + step, rows)
        apart = store.disagreement
        yield Strip(
            y0,
            _read(store.labels[0], y0, stop, cols),
            _read(store.confidence[0], y0, stop, cols),
            None if apart is None else _read(apart[0], y0, stop, cols),
        )


def split_strip(strip: Strip) -> Iterator[Strip]:
    """Parts with a bounded number of runs, so that noise does not fill the memory."""
    changes = np.count_nonzero(strip.labels[:, 1:] != strip.labels[:, :-1], axis=1) + 1
    before = np.cumsum(changes)
    start, rows = 0, len(changes)
    while start < rows:
        taken = before[start - 1] if start else 0
        stop = max(int(np.searchsorted(before, taken + _RUNS, side="right")), start + 1)
        yield _rows(strip, start, stop)
        start = stop


def _rows(strip: Strip, start: int, stop: int) -> Strip:
    apart = strip.disagreement
    return Strip(
        strip.y0 + start,
        strip.labels[start:stop],
        strip.confidence[start:stop],
        None if apart is None else apart[start:stop],
    )


def _height(store: PredictionStore) -> int:
    chunk = pixel_sharding(store.grid.stride).chunk
    return max(_PIXELS // (chunk * store.shape[1]), 1) * chunk


def _read(level: LevelArray, start: int, stop: int, cols: int) -> Bytes:
    """A copy: a level in memory changes while it is predicted."""
    return np.array(level[start:stop, :cols], order="C")
