"""Which pixels of an image lie inside areas that a person drew."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from skimage.draw import polygon2mask

from napari_relay.geometry import Window

_MIDDLE = 0.5


class Within:
    """The inside of polygons; a pixel is inside where its middle is.

    Parameters
    ----------
    geometry
        Polygons in level-0 pixel corners ``(x, y)``.
    """

    def __init__(self, geometry: shapely.Geometry) -> None:
        self.geometry = geometry
        shapely.prepare(geometry)

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """``(height, width)``: which pixels of a window lie inside."""
        shape = window.height, window.width
        box = shapely.box(window.x0, window.y0, window.x1, window.y1)
        if self.geometry.contains(box):
            return np.ones(shape, np.bool_)
        inside = np.zeros(shape, np.bool_)
        if self.geometry.intersects(box):
            # cut to the window: nothing else of an outline as large as a survey is drawn
            for part in _polygons(self.geometry.intersection(box)):
                _draw(inside, part, window)
        return inside


def _polygons(geometry: shapely.Geometry) -> list[shapely.Geometry]:
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return [part for part in parts if isinstance(part, shapely.Polygon)]


def _draw(inside: NDArray[np.bool_], part: shapely.Geometry, window: Window) -> None:
    """Add the pixels of a polygon, without its holes."""
    drawn = polygon2mask(inside.shape, _corners(part.exterior, window))
    for hole in part.interiors:
        drawn &= ~polygon2mask(inside.shape, _corners(hole, window))
    inside |= drawn


def _corners(ring: shapely.Geometry, window: Window) -> NDArray[np.float64]:
    """``(n, 2)`` row and column in the window, pixel middles at integers."""
    corners: NDArray[np.float64] = shapely.get_coordinates(ring)[:, ::-1] - _MIDDLE
    return corners - (window.y0, window.x0)
