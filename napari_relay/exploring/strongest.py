"""The strongest places of a stream of places, each some way from the others."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


class Strongest:
    """Keeps no more places than the answer can need, however many are added.

    The strongest place is taken first; then again and again the strongest one
    that is at least ``apart`` from all that are taken, along rows or columns.
    Of equally strong ones that with the lower row, then column, comes first.

    Parameters
    ----------
    count
        Most places that are taken.
    apart
        Least distance, in pixels.
    spacing
        Pixels on a side of the squares of a grid; no two places that are added
        lie in the same square.
    """

    def __init__(self, count: int, apart: int, spacing: int) -> None:
        self._count, self._apart = count, apart
        # A place that is taken rules out those of so many squares, its own included.
        ruled_out = (2 * math.ceil(apart / spacing) + 1) ** 2
        self._enough = (count - 1) * ruled_out + 1
        self._values: NDArray[np.floating] = np.empty(0)
        self._places: NDArray[np.floating] = np.empty((0, 2))

    def add(self, values: NDArray[np.floating], places: NDArray[np.floating]) -> None:
        """Add places ``(n, 2)`` ``(row, col)`` with how strong they are, ``(n,)``."""
        values = np.concatenate([self._values, values])
        places = np.concatenate([self._places, places])
        order = np.lexsort((places[:, 1], places[:, 0], -values))[: self._enough]
        self._values, self._places = values[order], places[order]

    def take(self) -> list[tuple[float, tuple[float, float]]]:
        """How strong and where ``(row, col)``, the strongest first."""
        taken: list[tuple[float, tuple[float, float]]] = []
        for value, (row, col) in zip(self._values, self._places, strict=True):
            is_near = any(max(abs(row - y), abs(col - x)) < self._apart for _, (y, x) in taken)
            if not is_near:
                taken.append((float(value), (float(row), float(col))))
            if len(taken) == self._count:
                break
        return taken
