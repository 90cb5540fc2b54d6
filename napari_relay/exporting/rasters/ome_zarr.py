"""Rasters as OME-Zarr 0.5."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import zarr

from napari_relay.exporting.rasters.content import RasterContent
from napari_relay.inference.chunks import COMPRESSOR
from napari_relay.inference.ome_metadata import (
    Placement,
    describe_channels,
    describe_label_image,
    describe_levels,
    describe_probabilities,
)

_CHUNK = 512
_SHARD = 4096
"""Side of a file of chunks: few files, and 16 MiB in memory for each band."""
DESCRIPTION = "napari_relay_raster"
"""Attribute in which a raster describes itself."""


def write_ome_zarr(path: Path, content: RasterContent) -> Iterator[tuple[int, int]]:
    """Write an image with levels, ``(y, x)``, or ``(c, y, x)`` of several bands.

    Classes are a label image, with names and colours.

    Yields
    ------
    tuple of int
        Parts that are written, and all parts, after each.
    """
    group = zarr.create_group(path)
    arrays = [_create(group, content, level) for level in range(len(content.levels))]
    parts = [
        (level, row, col)
        for level, array in enumerate(arrays)
        for row in range(-(-array.shape[-2] // _SHARD))
        for col in range(-(-array.shape[-1] // _SHARD))
    ]
    for done, (level, row, col) in enumerate(parts, 1):
        _write(arrays[level], content, level, row, col)
        yield done, len(parts)
    _describe(group, content)


def _create(group: zarr.Group, content: RasterContent, level: int) -> zarr.Array[Any]:
    bands = len(content.description.bands)
    lead = (bands,) if bands > 1 else ()
    return group.create_array(
        str(level),
        shape=(*lead, *content.levels[level].shape),
        chunks=(*(1,) * len(lead), _CHUNK, _CHUNK),
        shards=(*(1,) * len(lead), _SHARD, _SHARD),
        dtype="uint8",
        fill_value=content.description.nodata,
        compressors=COMPRESSOR,
        dimension_names=("c", "y", "x")[-len(lead) - 2 :],
    )


def _write(array: zarr.Array[Any], content: RasterContent, level: int, row: int, col: int) -> None:
    """Write a file of chunks; what has no data takes no room."""
    y, x = row * _SHARD, col * _SHARD
    height, width = content.levels[level].shape
    tile = content.tile(level, row, col, _SHARD)[:, : height - y, : width - x]
    if (tile == content.description.nodata).all():
        return
    where = (slice(y, y + _SHARD), slice(x, x + _SHARD))
    if tile.shape[0] == 1:
        array[where] = tile[0]
        return
    for band, values in enumerate(tile):
        array[(band, *where)] = values


def _describe(group: zarr.Group, content: RasterContent) -> None:
    described, bands = content.description, content.description.bands
    place = Placement(content.shape, content.placement.pixel_size, content.placement.unit)
    count = len(content.levels)
    name = f"{described.quantity} of {content.name}"
    describe_levels(group, name, count, place, channels=len(bands) > 1, origin=content.origin)
    if described.is_mask:
        if described.classes is not None:
            describe_label_image(group, described.classes)
    elif described.quantity == "probabilities" and described.classes is not None:
        describe_probabilities(group, described.classes)
    else:
        describe_channels(group, [(name, "FFFFFF") for name in bands], (0, 255))
    group.attrs[DESCRIPTION] = described.to_json()
