"""Runs joined to objects, from strip to strip."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from napari_relay.exporting.vectors.runs import Flags, Indices, Runs, no_runs


@dataclass(frozen=True)
class Joined:
    """The objects that a strip has a part in, numbered from 0.

    Objects hang together by pixel edges (4-connectivity). Those that go on from
    the strip before are *old*; those that may go on below stay *open*.
    """

    runs: Runs
    """Those of the row above the strip, then the strip's own."""
    carried: int
    """How many runs are of the row above."""
    objects: Indices
    """Number of the object of each run."""
    old: Indices
    """Number here of each object that was open after the strip before."""
    count: int
    """How many objects."""
    bottom: int
    """Last row of the strip."""
    is_last: bool
    """Whether nothing comes below."""

    @property
    def own(self) -> Runs:
        """The runs of this strip alone."""
        return self.runs.taken(slice(self.carried, None))

    @property
    def own_objects(self) -> Indices:
        """Number of the object of each of :attr:`own`."""
        return self.objects[self.carried :]

    @property
    def goes_on(self) -> Flags:
        """Which runs may be continued below."""
        return np.asarray((self.runs.rows == self.bottom) & (not self.is_last))

    @cached_property
    def is_open(self) -> Flags:
        """Which objects may go on below."""
        found = np.zeros(self.count, bool)
        found[self.objects[self.goes_on]] = True
        return found

    @cached_property
    def renumbered(self) -> Indices:
        """Number of each open object among the open ones; -1 for one that has ended."""
        numbers = np.cumsum(self.is_open) - 1
        numbers[~self.is_open] = -1
        return numbers


def first_joined(width: int) -> Joined:
    """What comes before the first strip."""
    none = np.empty(0, np.int64)
    return Joined(no_runs(width), 0, none, none, 0, -1, False)


def join(before: Joined, runs: Runs, bottom: int, is_last: bool) -> Joined:
    """Join the runs of a strip with each other and with the objects that are open."""
    kept = before.goes_on
    above = before.runs.taken(kept)
    old_count = int(before.is_open.sum())
    joined = above.followed_by(runs)
    # Objects that are open come first as nodes; the runs above stand for theirs.
    nodes = np.concatenate(
        [before.renumbered[before.objects[kept]], np.arange(len(runs)) + old_count]
    )
    pairs = joined.overlaps
    size = old_count + len(runs)
    links = (np.ones(len(pairs.upper), bool), (nodes[pairs.upper], nodes[pairs.lower]))
    count, found = connected_components(coo_array(links, shape=(size, size)), directed=False)
    numbers = found.astype(np.int64)
    return Joined(
        joined, len(above), numbers[nodes], numbers[:old_count], int(count), bottom, is_last
    )
