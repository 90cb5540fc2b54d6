"""Points put on outlines where other outlines have one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.vectors.rings import Rings
from napari_relay.exporting.vectors.runs import Indices


def noded(rings: Rings) -> Rings:
    """The same rings, with a point wherever another ring has one.

    What lies on both sides of a border then has the same points on it, as a
    coverage must (:func:`shapely.coverage_is_valid`).
    """
    points = rings.points.astype(np.int64)
    ends = points[_following(rings.rings)]
    sides = [(np.arange(len(points)), np.zeros(len(points), np.int64), points)]
    for axis in (0, 1):
        sides.append(_between(points, ends, axis))
    owner, place, found = (np.concatenate(parts) for parts in zip(*sides, strict=True))
    order = np.lexsort((place, owner))
    return Rings(found[order].astype(float), rings.rings[owner[order]], rings.objects)


def _following(rings: Indices) -> Indices:
    """Index of the next point of the same ring, for each point."""
    following = np.arange(1, len(rings) + 1)
    lasts = np.flatnonzero(np.diff(rings, append=-1))
    following[lasts] = np.append(0, lasts[:-1] + 1)[: len(lasts)]
    return following


def _between(
    points: Indices, ends: Indices, axis: int
) -> tuple[Indices, Indices, NDArray[np.int64]]:
    """Points inside the sides along an axis: whose side, which place on it, ``(n, 2)`` where."""
    span = int(points[:, axis].max(initial=0)) + 1
    known = np.sort(points[:, 1 - axis] * span + points[:, axis])
    known = known[np.diff(known, prepend=-1) > 0]
    sides = np.flatnonzero(points[:, 1 - axis] == ends[:, 1 - axis])
    line = points[sides, 1 - axis] * span
    start, stop = line + points[sides, axis], line + ends[sides, axis]
    low = np.searchsorted(known, np.minimum(start, stop), side="right")
    counts = np.searchsorted(known, np.maximum(start, stop), side="left") - low
    place = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    keys = known[np.repeat(low, counts) + place]
    found = np.stack([keys % span, keys // span], axis=1)
    is_forward, total = np.repeat(stop > start, counts), np.repeat(counts, counts)
    rank = np.where(is_forward, place + 1, total - place)
    return np.repeat(sides, counts), rank, found[:, ::-1] if axis else found
