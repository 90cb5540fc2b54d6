"""Corners of the outlines of objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.vectors.joining import Joined
from napari_relay.exporting.vectors.runs import Flags, Indices

LEFT_TOP, RIGHT_TOP, LEFT_BOTTOM, RIGHT_BOTTOM = range(4)
"""Which corner of its run a corner is."""
REFLEX = 4
"""Added where the object lies on three sides of the corner, not on one."""


@dataclass(frozen=True)
class Corners:
    """Where outlines turn, in level-0 pixel corners."""

    x: NDArray[np.int32]
    """Column of the pixel corner."""
    y: NDArray[np.int32]
    """Row of the pixel corner."""
    kinds: NDArray[np.uint8]
    """Which corner of a run, and whether it is :data:`REFLEX`."""
    objects: Indices
    """Number of the object."""

    def __len__(self) -> int:
        return len(self.x)

    def taken(self, which: NDArray[np.generic]) -> Corners:
        """Some of them."""
        return Corners(self.x[which], self.y[which], self.kinds[which], self.objects[which])

    def renumbered(self, numbers: Indices) -> Corners:
        """The same with other numbers of their objects."""
        return Corners(self.x, self.y, self.kinds, numbers[self.objects])

    def followed_by(self, other: Corners) -> Corners:
        """These and others."""
        return Corners(
            np.concatenate([self.x, other.x]),
            np.concatenate([self.y, other.y]),
            np.concatenate([self.kinds, other.kinds]),
            np.concatenate([self.objects, other.objects]),
        )


def no_corners() -> Corners:
    """None."""
    none = np.empty(0, np.int32)
    return Corners(none, none, none.astype(np.uint8), none.astype(np.int64))


def find_corners(joined: Joined) -> Corners:
    """Corners of a strip; those on its lower edge come with the next strip, if there is one."""
    runs, pairs = joined.runs, joined.runs.overlaps
    upper, lower = pairs.upper, pairs.lower
    size, above, below = len(runs), np.arange(len(runs)) >= joined.carried, ~joined.goes_on
    left, right = runs.starts, runs.stops
    begins, ends = left[upper] - left[lower], right[upper] - right[lower]
    found = no_corners()
    for corner, x, y, own, other, beyond, is_ready in (
        (LEFT_TOP, left, runs.rows, lower, begins, begins < 0, above),
        (RIGHT_TOP, right, runs.rows, lower, ends, ends > 0, above),
        (LEFT_BOTTOM, left, runs.rows + 1, upper, begins, begins > 0, below),
        (RIGHT_BOTTOM, right, runs.rows + 1, upper, ends, ends < 0, below),
    ):
        turns = is_ready & ~_flags(own[other == 0], size)
        kinds = corner + REFLEX * _flags(own[beyond], size)
        picked = Corners(
            x[turns].astype(np.int32),
            y[turns].astype(np.int32),
            kinds[turns].astype(np.uint8),
            joined.objects[turns],
        )
        found = found.followed_by(picked)
    return found


def _flags(which: Indices, size: int) -> Flags:
    flags = np.zeros(size, bool)
    flags[which] = True
    return flags
