"""GeoTIFF tags (OGC GeoTIFF 1.1)."""

from __future__ import annotations

import re

ExtraTag = tuple[int, int, int, object, bool]
"""TIFF tag as tifffile takes it: code, type, count, value, write once."""

_ASCII, _SHORT, _DOUBLE = 2, 3, 12
_MODEL_PIXEL_SCALE = 33550
_MODEL_TIEPOINT = 33922
_MODEL_TRANSFORMATION = 34264
_GEO_KEY_DIRECTORY = 34735
_GDAL_NODATA = 42113

_MODEL_TYPE, _RASTER_TYPE = 1024, 1025
_GEOGRAPHIC_CRS, _PROJECTED_CRS = 2048, 3072
_PROJECTED, _GEOGRAPHIC, _PIXEL_IS_AREA = 1, 2, 1

Affine = tuple[float, float, float, float, float, float]


def nodata_tag(value: int) -> ExtraTag:
    """GDAL's tag for the value of pixels without data."""
    text = str(value)
    return (_GDAL_NODATA, _ASCII, len(text) + 1, text, True)


def affine_tags(affine: Affine) -> list[ExtraTag]:
    """Where the pixels lie.

    Parameters
    ----------
    affine
        ``x = a·col + b·row + c``, ``y = d·col + e·row + f`` of a pixel's
        upper-left corner. Without rotation and north up it is written as
        scale and tie point, which more programs read; else as a matrix.
    """
    a, b, c, d, e, f = affine
    if b == d == 0 and a > 0 > e:
        scale, tie = (a, -e, 0.0), (0.0, 0.0, 0.0, c, f, 0.0)
        return [
            (_MODEL_PIXEL_SCALE, _DOUBLE, 3, scale, True),
            (_MODEL_TIEPOINT, _DOUBLE, 6, tie, True),
        ]
    matrix = (a, b, 0.0, c, d, e, 0.0, f, *(0.0,) * 7, 1.0)
    return [(_MODEL_TRANSFORMATION, _DOUBLE, 16, matrix, True)]


def crs_tags(crs: str | None, is_geographic: bool) -> list[ExtraTag]:
    """The coordinate reference system; empty unless it has an EPSG code."""
    match = re.fullmatch(r"EPSG:(\d{1,5})", crs or "", re.IGNORECASE)
    if match is None:
        return []
    model = _GEOGRAPHIC if is_geographic else _PROJECTED
    key = _GEOGRAPHIC_CRS if is_geographic else _PROJECTED_CRS
    keys = [(_MODEL_TYPE, model), (_RASTER_TYPE, _PIXEL_IS_AREA), (key, int(match[1]))]
    directory = [1, 1, 0, len(keys)]
    for code, value in keys:
        directory += [code, 0, 1, value]
    return [(_GEO_KEY_DIRECTORY, _SHORT, len(directory), tuple(directory), True)]
