"""Areas that a person drew elsewhere, as GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.images import PyramidImage
from relay_tokens import UserError


def read_polygons(path: Path, image: PyramidImage) -> list[NDArray[np.float64]]:
    """Outlines of the polygons of a GeoJSON file that lie over an image.

    Parameters
    ----------
    path
        A geometry, feature, collection of features or, as QuPath may write it, a
        list of features. Coordinates are the image's CRS where it lies in one, else
        level-0 pixels ``(x, y)`` from the image's upper-left corner. A polygon
        with holes becomes several without.
    image
        What the polygons are about.

    Returns
    -------
    list
        ``(n, 2)`` level-0 ``(row, col)`` with pixel centres at integers.

    Raises
    ------
    UserError
        When the file cannot be read, or no polygon lies over the image.
    """
    height, width = image.shape
    extent = shapely.box(0, 0, width, height)
    outlines = [_to_pixels(outline, image) for outline in _outlines(_read(path))]
    over = [xy for xy in outlines if shapely.make_valid(shapely.Polygon(xy)).intersects(extent)]
    if not over:
        where = f"of {image.crs}" if image.affine else "in pixels, x and y from the upper left"
        raise UserError(
            f"No polygon in {path} lies over {image.source}; its coordinates must be {where}."
        )
    return [xy[:, ::-1] - 0.5 for xy in over]


def _read(path: Path) -> shapely.Geometry:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, list):
            content = {"type": "FeatureCollection", "features": content}
        geometry: shapely.Geometry = shapely.from_geojson(json.dumps(content))
    except OSError as error:
        raise UserError(
            f"{path} cannot be read ({error.strerror}); choose a GeoJSON file that is there."
        ) from error
    except (ValueError, shapely.GEOSException) as error:
        raise UserError(f"{path} is no GeoJSON; export the polygons again.") from error
    return geometry


def _outlines(geometry: shapely.Geometry) -> Iterator[NDArray[np.float64]]:
    """Outlines ``(n, 2)`` x and y that together enclose all of a geometry but its holes."""
    if isinstance(geometry, shapely.Polygon):
        whole = geometry if geometry.is_valid else shapely.make_valid(geometry, method="structure")
        if isinstance(whole, shapely.Polygon):
            yield from map(_corners, _without_holes(whole))
            return
        geometry = whole
    if hasattr(geometry, "geoms"):
        for part in geometry.geoms:
            yield from _outlines(part)


def _without_holes(polygon: shapely.Polygon) -> Iterator[shapely.Polygon]:
    """A polygon cut through its holes until none of the parts has one."""
    if polygon.is_empty:
        return
    if not polygon.interiors:
        yield polygon
        return
    left, bottom, right, top = polygon.bounds
    middle = (polygon.interiors[0].bounds[0] + polygon.interiors[0].bounds[2]) / 2
    for low, high in ((left, middle), (middle, right)):
        half = shapely.intersection(polygon, shapely.box(low, bottom, high, top))
        for part in shapely.get_parts(half):
            if isinstance(part, shapely.Polygon):
                yield from _without_holes(part)


def _corners(polygon: shapely.Polygon) -> NDArray[np.float64]:
    found: NDArray[np.float64] = shapely.get_coordinates(polygon.exterior)
    return found


def _to_pixels(xy: NDArray[np.float64], image: PyramidImage) -> NDArray[np.float64]:
    """World coordinates to pixels ``(x, y)`` from the image's corner; pixels stay."""
    if image.affine is None:
        return xy
    a, b, c, d, e, f = image.affine
    pixels: NDArray[np.float64] = (xy - (c, f)) @ np.linalg.inv([[a, b], [d, e]]).T
    return pixels
