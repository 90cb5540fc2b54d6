"""Areas that a person drew, in the frame of the pixels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.exporting.vectors.packages import require
from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage


def outlines_in_pixels(outlines: Sequence[NDArray[np.float64]]) -> shapely.Geometry:
    """Outlines as one area.

    Parameters
    ----------
    outlines
        ``(n, 2)`` level-0 ``(row, col)`` each, pixel centres at integers.

    Returns
    -------
    shapely.Geometry
        All that they enclose, in level-0 pixel corners ``(x, y)``.
    """
    polygons = [shapely.make_valid(shapely.Polygon(xy[:, ::-1] + 0.5)) for xy in outlines]
    return shapely.union_all(polygons)


def geometry_in_pixels(geometry: shapely.Geometry, image: PyramidImage) -> shapely.Geometry:
    """A geometry in the image's CRS (without one: as it is) in level-0 pixel corners ``(x, y)``."""
    if image.affine is None:
        return geometry
    a, b, c, d, e, f = image.affine
    inverse = np.linalg.inv([[a, b], [d, e]])
    return shapely.transform(geometry, lambda xy: (xy - (c, f)) @ inverse.T)


def draw_area(area: shapely.Geometry | None, window: Window) -> NDArray[np.uint8] | None:
    """Which pixels of a window have their middle in an area.

    Parameters
    ----------
    area
        In level-0 pixel corners ``(x, y)``.
    window
        Which pixels.

    Returns
    -------
    NDArray or None
        ``(rows, cols)``: 1 inside, 0 outside; None for no area.
    """
    if area is None:
        return None
    near = shapely.intersection(area, shapely.box(window.x0, window.y0, window.x1, window.y1))
    if not near.area:
        return np.zeros(window[2:], np.uint8)
    require("rasterio", "An export of what lies inside an area")
    from rasterio import Affine
    from rasterio.features import rasterize

    drawn: NDArray[np.uint8] = rasterize(
        [near], window[2:], transform=Affine.translation(window.x0, window.y0), dtype="uint8"
    )
    return drawn
