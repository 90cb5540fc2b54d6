"""Outlines put together from their corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.exporting.vectors.corners import (
    LEFT_BOTTOM,
    LEFT_TOP,
    REFLEX,
    RIGHT_BOTTOM,
    RIGHT_TOP,
    Corners,
)
from napari_relay.exporting.vectors.runs import Indices


@dataclass(frozen=True)
class Rings:
    """Closed outlines, ring by ring, those of an object together and its outer one first."""

    points: NDArray[np.float64]
    """``(n, 2)`` pixel corners ``(x, y)``; the first of a ring is not repeated."""
    rings: Indices
    """Number of the ring of each point, rising from 0."""
    objects: Indices
    """Number of the object of each ring, rising."""

    def polygons(self) -> NDArray[np.object_]:
        """One polygon an object, in the order of their numbers."""
        if not len(self.points):
            return np.empty(0, object)
        rings = shapely.linearrings(self.points, indices=self.rings)
        found: NDArray[np.object_] = shapely.polygons(rings, indices=self.objects)
        return found


def trace(corners: Corners) -> Rings:
    """Outlines of whole objects, numbered from 0 without a gap.

    Along a row of pixel corners the outline of an object runs from every other
    corner to the next, and so it does along a column. Where two pixels of an
    object touch at a corner only, the outline touches itself there and does not
    cross, so that polygons are valid (OGC 06-103r4, 6.1.11).
    """
    if not len(corners):
        return Rings(np.empty((0, 2)), np.empty(0, np.int64), np.empty(0, np.int64))
    # The first corner of an object is its topmost, leftmost: it lies on the outer ring.
    ordered = corners.taken(np.lexsort((corners.x, corners.y, corners.objects)))
    kinds = _kinds(ordered)
    following = _following(ordered, kinds)
    first, steps = _places(following)
    heads = np.flatnonzero(first == np.arange(len(first)))
    ring = (np.cumsum(first == np.arange(len(first))) - 1)[first]
    starts = np.cumsum(np.bincount(ring)) - np.bincount(ring)
    points = np.empty((len(ordered), 2))
    points[starts[ring] + steps] = np.stack([ordered.x, ordered.y], axis=1)
    return Rings(points, np.sort(ring), ordered.objects[heads])


def _kinds(ordered: Corners) -> NDArray[np.uint8]:
    """Kinds of the corners; reflex where an object touches itself at a corner."""
    same = (
        (ordered.x[1:] == ordered.x[:-1])
        & (ordered.y[1:] == ordered.y[:-1])
        & (ordered.objects[1:] == ordered.objects[:-1])
    )
    kinds = ordered.kinds.copy()
    kinds[1:][same] |= REFLEX
    kinds[:-1][same] |= REFLEX
    return kinds


def _following(ordered: Corners, kinds: NDArray[np.uint8]) -> Indices:
    """Index of the corner that comes after each one, the object on the right hand."""

    def where(*wanted: int, order: Indices | None = None) -> Indices:
        if order is None:
            return np.flatnonzero(np.isin(kinds, wanted))
        return order[np.isin(kinds[order], wanted)]

    following = np.empty(len(ordered), np.int64)
    # Along rows: with the object below from left to right, with it above from right to left.
    following[where(LEFT_TOP, RIGHT_BOTTOM + REFLEX)] = where(RIGHT_TOP, LEFT_BOTTOM + REFLEX)
    following[where(RIGHT_BOTTOM, LEFT_TOP + REFLEX)] = where(LEFT_BOTTOM, RIGHT_TOP + REFLEX)
    # Along columns: down on right sides, up on left ones.
    order = np.lexsort((ordered.y, ordered.x, ordered.objects))
    rights = [(corner, corner + REFLEX) for corner in (RIGHT_TOP, RIGHT_BOTTOM)]
    lefts = [(corner, corner + REFLEX) for corner in (LEFT_BOTTOM, LEFT_TOP)]
    for begin, end in (rights, lefts):
        following[where(*begin, order=order)] = where(*end, order=order)
    return following


def _places(following: Indices) -> tuple[Indices, Indices]:
    """First corner of the ring of each corner, and the steps from there against the rings' sense.

    By doubling the reach of a look ahead until nothing new is seen (list
    ranking; Wyllie, "The Complexity of Parallel Computations", 1979).
    """
    first, ahead = np.arange(len(following)), following
    while True:
        seen = np.minimum(first, first[ahead])
        if np.array_equal(seen, first):
            break
        first, ahead = seen, ahead[ahead]
    is_head = first == np.arange(len(first))
    steps = (~is_head).astype(np.int64)
    ahead = np.where(is_head, first, following)
    while not is_head[ahead].all():
        steps += steps[ahead]
        ahead = ahead[ahead]
    return first, steps
