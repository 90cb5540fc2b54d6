"""The points at which a landscape is evaluated, and rectangles of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
"""A value at every point of a grid, ``(rows, cols)``."""


class Rectangle(NamedTuple):
    """A rectangle in plan units."""

    row0: float
    """Upper edge."""
    row1: float
    """Lower edge."""
    col0: float
    """Left edge."""
    col1: float
    """Right edge."""

    def meets(self, other: Rectangle) -> bool:
        """Whether the two share more than an edge."""
        return (
            self.row0 < other.row1
            and other.row0 < self.row1
            and self.col0 < other.col1
            and other.col0 < self.col1
        )

    def grown(self, margin: float) -> Rectangle:
        """The rectangle with ``margin`` more on each side; less if it is negative."""
        return Rectangle(
            self.row0 - margin, self.row1 + margin, self.col0 - margin, self.col1 + margin
        )


@dataclass(frozen=True, eq=False)
class SampleGrid:
    """Points in plan units: level-0 pixels of a landscape of scale 1."""

    rows: NDArray[np.float64]
    """``(rows,)`` plan coordinate of each row, rising in steps of :attr:`step`."""
    cols: NDArray[np.float64]
    """``(cols,)`` plan coordinate of each column, likewise."""
    step: float
    """Plan units between neighbours."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return len(self.rows), len(self.cols)

    def zeros(self) -> Field:
        """Make a field of zeros."""
        return np.zeros(self.shape, np.float32)

    @property
    def area(self) -> Rectangle:
        """From the first to the last point."""
        return Rectangle(self.rows[0], self.rows[-1], self.cols[0], self.cols[-1])

    def inside(self, area: Rectangle) -> tuple[slice, slice]:
        """Points inside a rectangle; maybe none."""
        rows = slice(*np.searchsorted(self.rows, area[:2]).tolist())
        cols = slice(*np.searchsorted(self.cols, area[2:]).tolist())
        return rows, cols

    def cut(self, rows: slice, cols: slice) -> SampleGrid:
        """The grid of some of the points."""
        return SampleGrid(self.rows[rows], self.cols[cols], self.step)
