"""Stretches of equal labels along rows: what objects are put together from."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Runs:
    """Runs in the order of reading: row by row, from left to right."""

    width: int
    """Columns of the image."""
    rows: Indices
    """Row of each."""
    starts: Indices
    """First column of each."""
    stops: Indices
    """Column after the last one of each."""
    labels: NDArray[np.uint8]
    """Label of each."""

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def lengths(self) -> Indices:
        """Pixels of each."""
        return self.stops - self.starts

    @property
    def middles(self) -> NDArray[np.float64]:
        """Column of the middle of each, pixel centres at integers."""
        return (self.starts + self.stops - 1) / 2

    def taken(self, which: Flags | slice) -> Runs:
        """Some of them."""
        rows, starts, stops = (part[which] for part in (self.rows, self.starts, self.stops))
        return Runs(self.width, rows, starts, stops, self.labels[which])

    def followed_by(self, other: Runs) -> Runs:
        """These, and those of later rows."""
        return Runs(
            self.width,
            np.concatenate([self.rows, other.rows]),
            np.concatenate([self.starts, other.starts]),
            np.concatenate([self.stops, other.stops]),
            np.concatenate([self.labels, other.labels]),
        )

    @cached_property
    def overlaps(self) -> Overlaps:
        """Where two of the same label lie above one another."""
        first = self.rows * self.width
        begins, ends = first + self.starts, first + self.stops
        low = np.searchsorted(ends, begins - self.width, side="right")
        high = np.searchsorted(begins, ends - self.width, side="left")
        counts = np.maximum(high - low, 0)
        lower = np.repeat(np.arange(len(self)), counts)
        skipped = np.repeat(np.cumsum(counts) - counts, counts)
        upper = np.arange(len(lower)) - skipped + low[lower]
        same = self.labels[upper] == self.labels[lower]
        return Overlaps(upper[same], lower[same])


@dataclass(frozen=True)
class Overlaps:
    """Pairs of runs of the same label that share pixel edges."""

    upper: Indices
    """Which run lies above."""
    lower: Indices
    """Which run lies below."""


def no_runs(width: int) -> Runs:
    """None, of an image of some width."""
    none = np.empty(0, np.int64)
    return Runs(width, none, none, none, np.empty(0, np.uint8))


def find_runs(labels: NDArray[np.uint8], y0: int, wanted: Flags | None = None) -> Runs:
    """Runs of some rows.

    Parameters
    ----------
    labels
        ``(rows, cols)``.
    y0
        The first row.
    wanted
        ``(256,)``: which labels; None: all.
    """
    width, flat = labels.shape[1], labels.reshape(-1)
    changes = np.empty(flat.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=changes[1:])
    changes[::width] = True
    begins = np.flatnonzero(changes)
    ends = np.append(begins[1:], flat.size)
    found = flat[begins]
    if wanted is not None:
        kept = wanted[found]
        begins, ends, found = begins[kept], ends[kept], found[kept]
    rows = begins // width
    return Runs(width, rows + y0, begins - rows * width, ends - rows * width, found)
