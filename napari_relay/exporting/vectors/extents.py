"""Where objects begin and how far they reach."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_relay.exporting.vectors.joining import Joined
from napari_relay.exporting.vectors.runs import Flags, Indices


@dataclass(frozen=True)
class Extents:
    """One number an object in each array; level-0 pixels."""

    first: Indices
    """Position of its first pixel in the order of reading: row · columns of the image + col."""
    labels: Indices
    """Its label."""
    bottom: Indices
    """Its last row."""
    left: Indices
    """Its first column."""
    right: Indices
    """The column after its last one."""

    def taken(self, which: Flags) -> Extents:
        """Those of some objects."""
        parts = self.first, self.labels, self.bottom, self.left, self.right
        return Extents(*(part[which] for part in parts))


def no_extents() -> Extents:
    """Those of no object."""
    none = np.empty(0, np.int64)
    return Extents(none, none, none, none, none)


def extend(before: Extents, joined: Joined) -> Extents:
    """Extents with what a strip adds to those that were open."""
    runs, largest = joined.own, np.iinfo(np.int64).max
    objects = np.concatenate([joined.old, joined.own_objects])

    def reduced(ufunc: np.ufunc, start: int, old: Indices, new: Indices) -> Indices:
        found = np.full(joined.count, start, np.int64)
        ufunc.at(found, objects, np.concatenate([old, new]))
        return found

    return Extents(
        reduced(np.minimum, largest, before.first, runs.rows * runs.width + runs.starts),
        reduced(np.maximum, 0, before.labels, runs.labels.astype(np.int64)),
        reduced(np.maximum, 0, before.bottom, runs.rows),
        reduced(np.minimum, largest, before.left, runs.starts),
        reduced(np.maximum, 0, before.right, runs.stops),
    )
