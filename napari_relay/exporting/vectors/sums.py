"""What is added up over the pixels of objects."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.vectors.ground import Ground, Numbers
from napari_relay.exporting.vectors.joining import Joined
from napari_relay.exporting.vectors.runs import Indices, Runs
from napari_relay.exporting.vectors.strips import Bytes, Strip


@dataclass(frozen=True)
class Sums:
    """One number an object in each array; level-0 pixels, pixel centres at integers."""

    pixels: Numbers
    """Number of pixels."""
    rows: Numbers
    """Sum of their rows."""
    cols: Numbers
    """Sum of their columns."""
    rows_rows: Numbers
    """Sum of the squares of the rows."""
    rows_cols: Numbers
    """Sum of the products."""
    cols_cols: Numbers
    """Sum of the squares of the columns."""
    area: Numbers
    """Area on the ground."""
    perimeter: Numbers
    """Length of the pixel edges around it."""
    confidence: Numbers
    """Sum of the confidence, 0 ... 255 each."""
    disagreement: Numbers
    """Sum of the disagreement, 0 ... 255 each; 0 where there is none."""
    inside: Numbers
    """Number of the pixels that lie in the wanted area; 0 where there is none."""

    def gathered(self, objects: Indices, count: int) -> Sums:
        """Summed again, by new numbers of their objects."""
        return Sums(*(_gathered(objects, part, count) for part in self._parts))

    def plus(self, other: Sums) -> Sums:
        """Both, object by object."""
        return Sums(*(a + b for a, b in zip(self._parts, other._parts, strict=True)))

    def taken(self, which: NDArray[np.generic]) -> Sums:
        """Those of some objects."""
        return Sums(*(part[which] for part in self._parts))

    @property
    def _parts(self) -> list[Numbers]:
        return [getattr(self, field.name) for field in fields(self)]


def no_sums() -> Sums:
    """Those of no object."""
    return Sums(*(np.empty(0) for _ in fields(Sums)))


def sum_strip(joined: Joined, strip: Strip, ground: Ground, inside: Bytes | None) -> Sums:
    """Sums over the pixels of one strip.

    Parameters
    ----------
    joined
        The strip's objects.
    strip
        Its pixels.
    ground
        Sizes of the pixels.
    inside
        ``(rows, cols)``: 1 where a pixel lies in the wanted area.
    """
    runs, objects = joined.own, joined.own_objects
    n, y = runs.lengths.astype(float), runs.rows.astype(float)
    x = runs.middles
    # The squares of n whole numbers in a row are n (n² - 1) / 12 more than n times their mean's.
    apart = n * (n**2 - 1) / 12
    parts = [n, n * y, n * x, n * y**2, n * y * x, n * x**2 + apart]
    parts += [n * ground.areas(y, x), _edges(runs, ground)]
    parts += [_total(values, runs, strip.y0) for values in (strip.confidence, strip.disagreement)]
    parts.append(_total(inside, runs, strip.y0))
    sums = [_gathered(objects, part, joined.count) for part in parts]
    sums[7] -= _shared_edges(joined, ground)
    return Sums(*sums)


def _edges(runs: Runs, ground: Ground) -> Numbers:
    """Length of all four sides of each run."""
    across, down = ground.sides(runs.rows.astype(float), runs.middles)
    return 2 * (runs.lengths * across + down)


def _shared_edges(joined: Joined, ground: Ground) -> Numbers:
    """Length of the edges between runs of the same object, once from each side."""
    runs, pairs = joined.runs, joined.runs.overlaps
    across, _ = ground.sides(runs.rows.astype(float), runs.middles)
    starts = np.maximum(runs.starts[pairs.upper], runs.starts[pairs.lower])
    stops = np.minimum(runs.stops[pairs.upper], runs.stops[pairs.lower])
    lengths = (stops - starts) * (across[pairs.upper] + across[pairs.lower])
    return _gathered(joined.objects[pairs.lower], lengths, joined.count)


def _gathered(objects: Indices, values: Numbers, count: int) -> Numbers:
    """Sum of the values of each object."""
    return np.bincount(objects, values, count).astype(np.float64, copy=False)


def _total(values: Bytes | None, runs: Runs, y0: int) -> Numbers:
    """Sum of the values of the pixels of each run."""
    if values is None or not len(runs):
        return np.zeros(len(runs))
    first = (runs.rows - y0) * runs.width
    bounds = np.stack([first + runs.starts, first + runs.stops], axis=1).reshape(-1)
    # The sums between two runs are dropped; the end of the array is no place to begin one.
    end = bounds[-1] == values.size
    sums = np.add.reduceat(values.reshape(-1), bounds[: len(bounds) - end], dtype=np.int64)
    return sums[::2].astype(float)
