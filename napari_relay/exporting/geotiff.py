"""GeoTIFF tags (OGC GeoTIFF 1.1)."""

from __future__ import annotations

import importlib.util
import re

import tifffile

from relay_tokens import UserError

ExtraTag = tuple[int, int, int, object, bool]
"""TIFF tag as tifffile takes it: code, type, count, value, write once."""

_ASCII, _SHORT, _DOUBLE = 2, 3, 12
_MODEL_PIXEL_SCALE = 33550
_MODEL_TIEPOINT = 33922
_MODEL_TRANSFORMATION = 34264
_GEO_KEY_DIRECTORY = 34735
_GEO_KEYS = (_GEO_KEY_DIRECTORY, 34736, 34737)
"""The directory of keys, and the numbers and the text that it refers to."""
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
    """The coordinate reference system, as GDAL writes it where rasterio is installed.

    Parameters
    ----------
    crs
        ``EPSG:n`` or WKT; None: there are no tags.
    is_geographic
        Whether it is in degrees; for want of rasterio.

    Raises
    ------
    UserError
        When a system without an EPSG code needs rasterio.
    """
    if crs is None:
        return []
    if importlib.util.find_spec("rasterio") is not None:
        return _gdal_tags(crs)
    match = re.fullmatch(r"EPSG:(\d{1,5})", crs, re.IGNORECASE)
    if match is None:
        raise UserError(
            f"The coordinate reference system {crs[:40]}... has no EPSG code; to write it, "
            'install rasterio with pip install "napari-relay[geo]".'
        )
    return [_epsg_tag(int(match[1]), is_geographic)]


def _gdal_tags(crs: str) -> list[ExtraTag]:
    """The keys of a GeoTIFF of one pixel."""
    from rasterio import Affine
    from rasterio.io import MemoryFile

    pixel = {"driver": "GTiff", "width": 1, "height": 1, "count": 1, "dtype": "uint8"}
    with MemoryFile() as file:
        with file.open(**pixel, crs=crs, transform=Affine(2, 0, 0, 0, -2, 0)):
            pass
        file.seek(0)
        with tifffile.TiffFile(file) as tiff:
            tags = tiff.pages.first.tags
            return [_copied(tags[code]) for code in _GEO_KEYS if code in tags]


def _copied(tag: tifffile.TiffTag) -> ExtraTag:
    value = tag.value
    return (tag.code, int(tag.dtype), len(value) + (tag.dtype == _ASCII), value, True)


def _epsg_tag(code: int, is_geographic: bool) -> ExtraTag:
    model = _GEOGRAPHIC if is_geographic else _PROJECTED
    key = _GEOGRAPHIC_CRS if is_geographic else _PROJECTED_CRS
    keys = [(_MODEL_TYPE, model), (_RASTER_TYPE, _PIXEL_IS_AREA), (key, code)]
    directory = [1, 1, 0, len(keys)]
    for name, value in keys:
        directory += [name, 0, 1, value]
    return (_GEO_KEY_DIRECTORY, _SHORT, len(directory), tuple(directory), True)
