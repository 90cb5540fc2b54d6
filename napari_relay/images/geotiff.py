"""Where a GeoTIFF lies in the world, from its tags (OGC GeoTIFF 1.1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import tifffile

from napari_relay.images.source import Placement

Affine = tuple[float, float, float, float, float, float]

GEOGRAPHIC = 2
"""Value of ``GTModelTypeGeoKey`` for longitude and latitude."""
PIXEL_IS_POINT = 2
"""Value of ``GTRasterTypeGeoKey`` that ties coordinates to pixel centres."""
USER_DEFINED = 32767
"""Value of a key whose meaning is not an EPSG code."""
METRES = {9001: 1.0, 9002: 0.3048, 9003: 1200 / 3937, 9036: 1000.0}
"""Metres in a linear unit, by its EPSG code."""


def placement(page: tifffile.TiffPage) -> Placement | None:
    """Pixel size, unit, CRS and affine of a page, or None without geographic tags.

    Notes
    -----
    A GeoTIFF that names no linear unit is taken to be in metres, the unit of
    nearly every projected system.
    """
    keys = page.geotiff_tags
    if not keys:
        return None
    affine = _affine(keys)
    geographic = int(keys.get("GTModelTypeGeoKey", 0)) == GEOGRAPHIC
    metres = 1.0 if geographic else _metres(keys)
    if affine is None or metres is None:
        return Placement(crs=_crs(keys), affine=affine)
    rows, cols = math.hypot(affine[1], affine[4]), math.hypot(affine[0], affine[3])
    unit = "degree" if geographic else "m"
    return Placement((rows * metres, cols * metres), unit, _crs(keys), affine)


def nodata(page: tifffile.TiffPage) -> float | None:
    """Value of the GDAL_NODATA tag."""
    tag = page.tags.get("GDAL_NODATA")
    try:
        return float(tag.value) if tag is not None else None
    except ValueError:
        return None


def band_names(page: tifffile.TiffPage) -> dict[int, str]:
    """Descriptions in the GDAL_METADATA tag, by index of the band."""
    tag = page.tags.get("GDAL_METADATA")
    try:
        items = ElementTree.fromstring(tag.value).iter("Item") if tag is not None else ()
    except ElementTree.ParseError:
        return {}
    return {
        int(item.get("sample", "0")): item.text.strip()
        for item in items
        if item.get("role") == "description" and item.text and item.text.strip()
    }


def _crs(keys: Mapping[str, Any]) -> str | None:
    """EPSG code of the projected system, else of the geographic one."""
    for name in ("ProjectedCSTypeGeoKey", "GeographicTypeGeoKey"):
        code = keys.get(name)
        if code is not None:
            return f"EPSG:{int(code)}" if 0 < int(code) < USER_DEFINED else None
    return None


def _metres(keys: Mapping[str, Any]) -> float | None:
    """Metres in the linear unit; None for a unit that is not known."""
    size = keys.get("ProjLinearUnitSizeGeoKey")
    if size is not None:
        return float(size)
    return METRES.get(int(keys.get("ProjLinearUnitsGeoKey", 9001)))


def _affine(keys: Mapping[str, Any]) -> Affine | None:
    """Affine of upper-left corners, whatever the file ties its coordinates to."""
    found = _from_transformation(keys) or _from_tiepoint(keys)
    if found is None or int(keys.get("GTRasterTypeGeoKey", 1)) != PIXEL_IS_POINT:
        return found
    a, b, c, d, e, f = found
    return a, b, c - (a + b) / 2, d, e, f - (d + e) / 2


def _from_transformation(keys: Mapping[str, Any]) -> Affine | None:
    matrix = keys.get("ModelTransformation")
    if matrix is None:
        return None
    (a, b, _, c), (d, e, _, f) = (_row(matrix, row) for row in (0, 1))
    return a, b, c, d, e, f


def _row(matrix: Any, row: int) -> Sequence[float]:
    """A row of a 4 × 4 matrix that may be nested or flat."""
    nested = len(matrix) == 4
    return [float(v) for v in (matrix[row] if nested else matrix[4 * row : 4 * row + 4])]


def _from_tiepoint(keys: Mapping[str, Any]) -> Affine | None:
    """From one tie point and the pixel scale; several tie points are no affine."""
    scale, tie = keys.get("ModelPixelScale"), keys.get("ModelTiepoint")
    if scale is None or tie is None or len(tie) != 6:
        return None
    col, row, _, x, y, _ = (float(v) for v in tie)
    width, height = float(scale[0]), abs(float(scale[1]))
    return width, 0.0, x - col * width, 0.0, -height, y + row * height
