"""Outlines with fewer corners, whose borders stay shared."""

from __future__ import annotations

import numpy as np
import shapely

from napari_relay.exporting.vectors.corners import find_corners
from napari_relay.exporting.vectors.ground import Ground
from napari_relay.exporting.vectors.joining import Joined, first_joined, join
from napari_relay.exporting.vectors.noding import noded
from napari_relay.exporting.vectors.outlines import Polygons
from napari_relay.exporting.vectors.rings import trace
from napari_relay.exporting.vectors.runs import Flags, Indices, find_runs
from napari_relay.exporting.vectors.strips import Strip


class SimplifiedOutlines:
    """Outlines of which corners are left out.

    All that lies in a strip is simplified together, what is not wanted too, so
    that a border is the same for both its sides (Visvalingam and Whyatt, "Line
    generalisation by repeated elimination of points", 1993, as GEOS does it for
    coverages). The strip's own edges stay as they are, so that the parts of an
    object in several strips fit each other; they are united when it has ended.

    Parameters
    ----------
    tolerance
        See :attr:`ObjectOptions.simplify`.
    ground
        Sizes of the pixels.
    labels
        ``(256,)``: the wanted labels.
    """

    def __init__(self, tolerance: float, ground: Ground, labels: Flags) -> None:
        self._tolerance, self._ground, self._labels = tolerance, ground, labels
        self._parts: Polygons = np.empty(0, object)
        self._owners: Indices = np.empty(0, np.int64)

    def take(self, joined: Joined, strip: Strip, wanted: Flags, /) -> Polygons:
        """See :class:`~napari_relay.exporting.vectors.outlines.Outlines`."""
        parts, owners = self._strip_parts(joined, strip)
        parts = np.concatenate([self._parts, parts])
        owners = np.concatenate([joined.old[self._owners], owners])
        still = joined.is_open[owners]
        self._parts, self._owners = parts[still], joined.renumbered[owners[still]]
        ended = wanted[owners]
        return _united(parts[ended], owners[ended])

    def _strip_parts(self, joined: Joined, strip: Strip) -> tuple[Polygons, Indices]:
        """Simplified parts of objects in a strip, and the number of the object of each."""
        runs = find_runs(strip.labels, strip.y0)
        inner = join(first_joined(runs.width), runs, strip.window.y1 - 1, is_last=True)
        shapes = noded(trace(find_corners(inner))).polygons()
        simple = shapely.coverage_simplify(shapes, self._in_pixels(strip), simplify_boundary=False)
        owners = np.full(inner.count, -1)
        owners[inner.objects[self._labels[runs.labels]]] = joined.own_objects
        return simple[owners >= 0], owners[owners >= 0]

    def _in_pixels(self, strip: Strip) -> float:
        """The tolerance, whose square is an area, in pixels."""
        row, col = strip.window.center
        area = self._ground.areas(np.array([row]), np.array([col]))
        return float(self._tolerance / np.sqrt(area[0]))


def _united(parts: Polygons, owners: Indices) -> Polygons:
    """One polygon an object, in the order of their numbers."""
    order = np.argsort(owners, kind="stable")
    starts = np.flatnonzero(np.diff(owners[order], prepend=-1))
    united = parts[order][starts]
    stops = np.append(starts[1:], len(order))
    for k in np.flatnonzero(stops - starts > 1):
        united[k] = shapely.union_all(parts[order[starts[k] : stops[k]]])
    return united
