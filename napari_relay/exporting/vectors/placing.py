"""Outlines of pixels brought to where they lie in the world."""

from __future__ import annotations

import math

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.exporting.vectors.outlines import Polygons
from napari_relay.exporting.vectors.packages import require
from napari_relay.images.pyramid import PyramidImage
from relay_tokens import UserError

LONGITUDE_LATITUDE = "OGC:CRS84"
"""WGS 84 as RFC 7946 has it: longitude, latitude."""
DIGITS = 7
"""Of degrees: 1 cm."""
_METRES_A_DEGREE = 111_320
_LONGEST_SIDE = 256
"""Pixels, before a side is brought into another system, where it is not straight: over
this length it strays from a line by less than a thousandth of a pixel in a UTM zone."""

Points = NDArray[np.float64]


def in_world(polygons: Polygons, image: PyramidImage) -> Polygons:
    """Pixel corners ``(x, y)`` in the image's CRS; as they are where the image has none."""
    if image.affine is None:
        return polygons
    a, b, c, d, e, f = image.affine
    linear = np.array([[a, b], [d, e]])
    return _moved(polygons, lambda xy: xy @ linear.T + (c, f))


def in_degrees(polygons: Polygons, image: PyramidImage) -> Polygons:
    """Pixel corners ``(x, y)`` in WGS 84, ``(longitude, latitude)``, rounded.

    Raises
    ------
    UserError
        When the image is in a system that cannot be brought there, or in another
        system and rasterio is not installed.
    """
    digits, crs = _digits(image), image.crs
    if crs is not None and crs.upper() != "EPSG:4326":
        require("rasterio", f"GeoJSON of an image in {crs}")
        polygons = in_world(shapely.segmentize(polygons, _LONGEST_SIDE), image)
        polygons = _moved(polygons, lambda xy: _projected(xy, crs))
    else:
        polygons = in_world(polygons, image)
    return _moved(polygons, lambda xy: np.round(xy, digits))


def _projected(points: Points, crs: str) -> Points:
    from rasterio.warp import transform

    try:
        found = np.column_stack(transform(crs, LONGITUDE_LATITUDE, points[:, 0], points[:, 1]))
    # PROJ's refusals come as many kinds of exception, which rasterio does not publish.
    except Exception as error:
        raise _unknown(crs) from error
    if not np.isfinite(found).all():
        raise _unknown(crs)
    return found


def _unknown(crs: str) -> UserError:
    return UserError(
        f"The image's coordinate reference system, {crs}, cannot be brought to longitude and "
        "latitude, in which GeoJSON is; choose a name that ends in .gpkg or .qupath.geojson."
    )


def _digits(image: PyramidImage) -> int:
    """Seven, or as many as keep a point within a twentieth of a pixel."""
    if image.pixel_size is None or image.unit not in ("m", "degree"):
        return DIGITS
    degrees = min(image.pixel_size) / (1 if image.unit == "degree" else _METRES_A_DEGREE)
    return max(DIGITS, math.ceil(-math.log10(degrees / 10)))


def _moved(polygons: Polygons, move: object) -> Polygons:
    found: Polygons = shapely.transform(polygons, move)
    return found
