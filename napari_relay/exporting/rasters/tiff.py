"""Rasters as Cloud-Optimized GeoTIFF and as OME-TIFF.

tifffile writes the directories, with empty tiles; then the compressed tiles
follow, the coarsest level first, and their offsets are put in: the layout of a
Cloud-Optimized GeoTIFF. GDAL's COG driver makes it from a finished raster
only, so it would need the raster and its overviews on disk a second time, and
could not be stopped. Here one row of tiles after the other is read, compressed
and written once; one tile at a time is in memory, and it works without rasterio.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_relay.exporting.geotiff import ExtraTag, affine_tags, crs_tags, nodata_tag
from napari_relay.exporting.placement import Placement
from napari_relay.exporting.rasters.colors import color_table
from napari_relay.exporting.rasters.content import RasterContent
from napari_relay.exporting.rasters.gdal_metadata import metadata_tag

_TILE = 512
_BYTES_OF_CLASSIC_TIFF = 2**31
"""Of full resolution; with a third more for the coarser levels it stays under 4 GiB."""
_CENTIMETRES = {"um": 1e-4, "m": 100.0}
_OME_UNITS = {"um": "µm", "m": "m"}
_COMPRESSION = "adobe_deflate"


class _Row(NamedTuple):
    """A row of tiles of one level."""

    level: int
    """Index of the level."""
    row: int
    """Which row of tiles."""


def is_ome(path: Path) -> bool:
    """Whether a name asks for OME-TIFF."""
    return path.stem.lower().endswith(".ome")


def write_tiff(path: Path, content: RasterContent) -> Iterator[tuple[int, int]]:
    """Write a pyramidal TIFF, OME-TIFF if its name ends so.

    In OME-TIFF the coarser levels are SubIFDs and each band is a page, as that
    format wants them; else levels are pages, where GDAL looks for overviews,
    and bands are interleaved.

    Yields
    ------
    tuple of int
        Parts that are written, and all parts, after each.
    """
    _write_directories(path, content)
    rows = _rows(content)
    tiles: list[list[tuple[int, int]]] = [[] for _ in _pages_of(path, content)]
    with path.open("ab") as file:
        for done, place in enumerate(rows, 1):
            for page, encoded in _encoded(path, content, place):
                tiles[page].append((file.tell(), len(encoded)))
                file.write(encoded)
            yield done, len(rows)
    _write_places(path, content, tiles)


def _rows(content: RasterContent) -> list[_Row]:
    last = len(content.levels) - 1
    return [
        _Row(level, row)
        for level in range(last, -1, -1)
        for row in range(-(-content.levels[level].shape[0] // _TILE))
    ]


def _encoded(path: Path, content: RasterContent, place: _Row) -> Iterator[tuple[int, bytes]]:
    """The tiles of a row, each with the index of its page."""
    count = len(content.levels)
    for col in range(-(-content.levels[place.level].shape[1] // _TILE)):
        tile = content.tile(place.level, place.row, col, _TILE)
        if is_ome(path):
            for band, values in enumerate(tile):
                yield band * count + place.level, _deflated(values)
        else:
            yield place.level, _deflated(np.moveaxis(tile, 0, -1))


def _deflated(values: NDArray[np.uint8]) -> bytes:
    return bytes(imagecodecs.deflate_encode(np.ascontiguousarray(values).tobytes(), 6))


# --- the directories


def _write_directories(path: Path, content: RasterContent) -> None:
    with tifffile.TiffWriter(path, bigtiff=_is_big(content), ome=is_ome(path)) as tiff:
        for level in range(len(content.levels)):
            _write_directory(tiff, path, content, level)


def _write_directory(
    tiff: tifffile.TiffWriter, path: Path, content: RasterContent, level: int
) -> None:
    first, ome, bands = level == 0, is_ome(path), len(content.description.bands)
    shape, mask = content.levels[level].shape, content.description.is_mask
    count = -(-shape[0] // _TILE) * -(-shape[1] // _TILE) * (bands if ome else 1)
    resolution = _resolution(content.placement, 2**level)
    tiff.write(
        repeat(b"", count),
        shape=_stored_shape(shape, bands, ome),
        dtype="uint8",
        tile=(_TILE, _TILE),
        compression=_COMPRESSION,
        photometric="palette" if mask else "minisblack",
        colormap=_colormap(content) if mask else None,
        planarconfig=None if ome or bands == 1 else "contig",
        extrasamples=None if ome or bands == 1 else ["unspecified"] * (bands - 1),
        subifds=len(content.levels) - 1 if ome and first else None,
        subfiletype=min(level, 1),
        metadata=_ome(content) if ome and first else None,
        description=_description(content) if first and not ome else None,
        extratags=_tags(content) if first and not ome else (),
        resolution=resolution,
        resolutionunit="CENTIMETER" if resolution else None,
        software=False,
    )


def _stored_shape(shape: tuple[int, int], bands: int, ome: bool) -> tuple[int, ...]:
    if bands == 1:
        return shape
    return (bands, *shape) if ome else (*shape, bands)


def _is_big(content: RasterContent) -> bool:
    height, width = content.shape
    return height * width * len(content.description.bands) > _BYTES_OF_CLASSIC_TIFF


def _colormap(content: RasterContent) -> NDArray[np.uint16]:
    colors = color_table(content.description.classes)
    return np.asarray(colors.T.astype(np.uint16) * 257)


def _description(content: RasterContent) -> str:
    return json.dumps(content.description.to_json())


def _ome(content: RasterContent) -> dict[str, Any]:
    bands, placement = content.description.bands, content.placement
    metadata: dict[str, Any] = {
        "axes": "YX" if len(bands) == 1 else "CYX",
        "Name": content.name,
        "Description": _description(content),
        "Channel": {"Name": list(bands)},
    }
    unit = _OME_UNITS.get(placement.unit or "")
    if placement.pixel_size and unit:
        for axis, size in zip("YX", placement.pixel_size, strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
    return metadata


def _tags(content: RasterContent) -> list[ExtraTag]:
    placement = content.placement
    tags = [nodata_tag(content.description.nodata), metadata_tag(content.description)]
    if placement.affine is not None:
        tags += affine_tags(placement.affine)
        tags += crs_tags(placement.crs, is_geographic=placement.unit == "degree")
    return tags


def _resolution(placement: Placement, step: int) -> tuple[float, float] | None:
    """Pixels a centimetre, ``(x, y)``."""
    length = _CENTIMETRES.get(placement.unit or "")
    if placement.pixel_size is None or length is None:
        return None
    rows, cols = placement.pixel_size
    return 1 / (cols * length * step), 1 / (rows * length * step)


# --- where the tiles are


def _pages_of(path: Path, content: RasterContent) -> range:
    return range(len(content.levels) * (len(content.description.bands) if is_ome(path) else 1))


def _write_places(path: Path, content: RasterContent, tiles: list[list[tuple[int, int]]]) -> None:
    """Put offsets and sizes of the tiles into the directories."""
    with tifffile.TiffFile(path, mode="r+") as tiff:
        for number, places in zip(_pages_of(path, content), tiles, strict=True):
            page = _page(tiff, number, len(content.levels), is_ome(path))
            offsets, sizes = zip(*places, strict=True)
            page.tags["TileOffsets"].overwrite(offsets)
            page.tags["TileByteCounts"].overwrite(sizes)


def _page(tiff: tifffile.TiffFile, number: int, levels: int, ome: bool) -> tifffile.TiffPage:
    if not ome:
        return tiff.pages[number].aspage()
    band, level = divmod(number, levels)
    page = tiff.pages[band].aspage()
    coarser = page.pages
    return page if level == 0 or coarser is None else coarser[level - 1].aspage()
