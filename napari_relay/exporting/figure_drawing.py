"""Lines, areas and points that are drawn over the image of a figure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Rgba = tuple[float, float, float, float]
"""Red, green, blue and alpha in [0, 1]."""

_FINEST, _BROADEST = 0.6, 4.0
_POINTS_AN_INCH = 72.0


@dataclass(frozen=True)
class FigureLine:
    """A line, or an area with its outline."""

    places: NDArray[np.float64]
    """``(n, 2)``: ``(row, col)`` from the image's upper left corner, in the unit of its size."""
    edge: Rgba
    """Colour of the line."""
    face: Rgba
    """Colour of the area within; clear: none."""
    width: float
    """Of the line, in the unit of the image's size."""
    is_closed: bool = True
    """Whether the last place is joined to the first."""


@dataclass(frozen=True)
class FigurePoint:
    """A point, drawn as a disc."""

    place: tuple[float, float]
    """``(row, col)`` as in :class:`FigureLine`."""
    edge: Rgba
    """Colour of its rim."""
    face: Rgba
    """Its colour."""
    size: float
    """Its diameter, in the unit of the image's size."""


def draw_lines(axes: Axes, lines: Iterable[FigureLine], inches: float) -> None:
    """Draw lines in order; ``inches`` is the length of a unit on paper."""
    from matplotlib.patches import Polygon

    for line in lines:
        width = np.clip(line.width * inches * _POINTS_AN_INCH, _FINEST, _BROADEST)
        axes.add_patch(
            Polygon(
                line.places[:, ::-1],
                closed=line.is_closed,
                edgecolor=line.edge,
                facecolor=line.face,
                fill=line.is_closed and line.face[3] > 0,
                linewidth=float(width),
            )
        )


def draw_points(axes: Axes, points: Iterable[FigurePoint]) -> None:
    """Draw points in order."""
    from matplotlib.patches import Circle

    for point in points:
        row, col = point.place
        axes.add_patch(
            Circle((col, row), point.size / 2, facecolor=point.face, edgecolor=point.edge)
        )
