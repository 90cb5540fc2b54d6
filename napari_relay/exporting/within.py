"""Areas of an image outside of which nothing is exported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from napari_relay.geometry import Window
from relay_tokens import UserError


class Within:
    """The union of polygons; a pixel is inside where its centre is.

    Parameters
    ----------
    outlines
        ``(n, 2)`` each, level-0 ``(row, col)`` with pixel centres at integers. What an
        outline that crosses itself encloses counts as inside.

    Raises
    ------
    UserError
        When nothing is enclosed.
    """

    def __init__(self, outlines: Sequence[NDArray[np.float64]]) -> None:
        shapes = [_polygon(outline) for outline in outlines]
        self.geometry: shapely.Geometry = shapely.union_all(shapes)
        """Their union, ``x`` being the column and ``y`` the row."""
        if not shapes or not self.geometry.area:
            raise UserError(
                "The areas enclose nothing; draw an area, or choose a file of polygons."
            )
        shapely.prepare(self.geometry)

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """``(height, width)``: which pixels of a window lie inside."""
        shape = window.height, window.width
        box = shapely.box(window.x0 - 0.5, window.y0 - 0.5, window.x1 - 0.5, window.y1 - 0.5)
        if self.geometry.contains(box):
            return np.ones(shape, np.bool_)
        inside = np.zeros(shape, np.bool_)
        if self.geometry.intersects(box):
            # cut to the window: an outline as large as a survey is drawn nowhere else
            for part in _polygons(self.geometry.intersection(box)):
                _draw(inside, part, window)
        return inside


def _polygon(outline: NDArray[np.float64]) -> shapely.Geometry:
    if len(outline) < 3:
        return shapely.Polygon()
    return shapely.make_valid(shapely.Polygon(np.asarray(outline, float)[:, ::-1]))


def _polygons(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return [part for part in parts if isinstance(part, shapely.Polygon)]


def _draw(inside: NDArray[np.bool_], part: shapely.Geometry, window: Window) -> None:
    """Add the pixels of a polygon, without its holes."""
    origin = (window.y0, window.x0)
    drawn = polygon2mask(inside.shape, shapely.get_coordinates(part.exterior)[:, ::-1] - origin)
    for hole in part.interiors:
        drawn &= ~polygon2mask(inside.shape, shapely.get_coordinates(hole)[:, ::-1] - origin)
    inside |= drawn
