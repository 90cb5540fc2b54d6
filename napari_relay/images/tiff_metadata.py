"""Pixel size and channel names as the makers of TIFF files write them."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

import tifffile

from napari_relay.images.source import Placement
from napari_relay.images.tiff_series import all_series

MICROMETRES = {
    "nm": 1e-3,
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "mm": 1e3,
    "cm": 1e4,
    "nanometer": 1e-3,
    "micrometer": 1.0,
    "micron": 1.0,
    "microns": 1.0,
    "\\u00B5m": 1.0,
    "millimeter": 1e3,
    "centimeter": 1e4,
}
"""Micrometres in a unit of microscopes."""
METRES = {"m": 1.0, "km": 1e3, "meter": 1.0, "metre": 1.0, "kilometer": 1e3}
"""Metres in a unit of maps."""
RESOLUTION_UNITS = {2: 25400.0, 3: 10000.0}
"""Micrometres in a unit of the resolution tags: inch and centimetre."""
PLAUSIBLE = (0.01, 12.0)
"""Micrometres of a pixel under a microscope; a printer's 300 dpi would be 85."""


def placement(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Placement:
    """Pixel size and unit from OME-XML, Aperio's or ImageJ's description, or the tags."""
    if tif.is_ome:
        return _from_ome(tif, series)
    if tif.is_imagej:
        return _from_imagej(tif, series.keyframe)
    return (_from_aperio(series.keyframe) if tif.is_svs else None) or _from_tags(series.keyframe)


def in_known_unit(size: tuple[float, float], units: tuple[str, str]) -> Placement:
    """``(row, col)`` size in um or m; without placement for any other unit."""
    for unit, table in (("um", MICROMETRES), ("m", METRES), ("degree", {"degree": 1.0})):
        if all(name in table for name in units) and min(size) > 0:
            return Placement((size[0] * table[units[0]], size[1] * table[units[1]]), unit)
    return Placement()


def channel_names(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, count: int
) -> Sequence[str]:
    """Channel names of OME-XML when there is one a band, else none."""
    pixels = _ome_pixels(tif, series) if tif.is_ome else None
    if pixels is None:
        return ()
    names = [channel.get("Name") for channel in pixels.iterfind("{*}Channel")]
    found = [name for name in names if name]
    return found if len(found) == count else ()


def _ome_pixels(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries
) -> ElementTree.Element | None:
    try:
        found = ElementTree.fromstring(tif.ome_metadata or "").findall("{*}Image/{*}Pixels")
    except ElementTree.ParseError:
        return None
    index = all_series(tif).index(series)
    return found[index] if index < len(found) else None


def _from_ome(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Placement:
    pixels = _ome_pixels(tif, series)
    if pixels is None or pixels.get("PhysicalSizeX") is None:
        return Placement()
    cols = float(pixels.get("PhysicalSizeX", 0))
    rows = float(pixels.get("PhysicalSizeY", cols))
    unit = pixels.get("PhysicalSizeXUnit", "µm")
    return in_known_unit((rows, cols), (pixels.get("PhysicalSizeYUnit", unit), unit))


def _from_aperio(page: tifffile.TiffPage) -> Placement | None:
    """``MPP`` (micrometres a pixel) of Aperio's ``key = value|...`` description."""
    fields = dict(part.partition("=")[::2] for part in page.description.split("|"))
    known = {key.strip(): value.strip() for key, value in fields.items()}
    try:
        size = float(known["MPP"])
    except (KeyError, ValueError):
        return None
    return Placement((size, size), "um") if size > 0 else None


def _from_imagej(tif: tifffile.TiffFile, page: tifffile.TiffPage) -> Placement:
    unit = str((tif.imagej_metadata or {}).get("unit", ""))
    size = _per_pixel(page)
    return in_known_unit(size, (unit, unit)) if size else Placement()


def _from_tags(page: tifffile.TiffPage) -> Placement:
    """Resolution tags, unless they are what a program writes for want of a better."""
    unit = page.tags.get("ResolutionUnit")
    size, length = _per_pixel(page), RESOLUTION_UNITS.get(int(unit.value) if unit else 0)
    if size is None or length is None:
        return Placement()
    rows, cols = size[0] * length, size[1] * length
    plausible = all(PLAUSIBLE[0] <= side <= PLAUSIBLE[1] for side in (rows, cols))
    return Placement((rows, cols), "um") if plausible else Placement()


def _per_pixel(page: tifffile.TiffPage) -> tuple[float, float] | None:
    """``(row, col)`` size of a pixel in the unit of the resolution tags."""
    sizes = []
    for name in ("YResolution", "XResolution"):
        tag = page.tags.get(name)
        numerator, denominator = tag.value if tag is not None else (0, 0)
        if not numerator or not denominator:
            return None
        sizes.append(denominator / numerator)
    return sizes[0], sizes[1]
