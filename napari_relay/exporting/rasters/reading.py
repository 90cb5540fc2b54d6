"""Rasters that napari-relay wrote, recognised and opened with their values."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import numpy as np
import tifffile
import zarr
from PIL import Image

from napari_relay.exporting.rasters import ome_zarr, png
from napari_relay.exporting.rasters.description import RasterDescription
from napari_relay.images.ome_zarr import open_ome_zarr
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.raster import DecodedPixels
from napari_relay.images.source import ImageSource, Placement
from napari_relay.images.tiff import open_tiff
from napari_relay.images.tiff_level import TiffLevel

_TIFF = (".tif", ".tiff")


def describe_raster(path: Path) -> RasterDescription | None:
    """What a raster of ours says about itself; None of any other file, whole or damaged."""
    read = {
        ".png": _png_description,
        ".zarr": _zarr_description,
        **dict.fromkeys(_TIFF, _tiff_description),
    }.get(path.suffix.lower())
    if read is None:
        return None
    try:
        return read(path)
    # A damaged file fails in many ways; the reader for images tells what it is.
    except Exception:
        return None


def open_values(path: Path, description: RasterDescription) -> PyramidImage:
    """Open a raster of ours lazily, with classes as numbers where others see colours.

    Raises
    ------
    UserError
        When it cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in _TIFF:
        source = _uncolored(open_tiff(path))
    elif suffix == ".png":
        source = _decoded(path)
    else:
        source = open_ome_zarr(path)
    placement = description.placement
    return replace(
        source,
        bands=description.bands,
        nodata=description.nodata,
        placement=Placement(placement.pixel_size, placement.unit, placement.crs, placement.affine),
    ).image()


def _tiff_description(path: Path) -> RasterDescription | None:
    with tifffile.TiffFile(path) as tiff:
        text = tiff.pages.first.description
        if tiff.is_ome:
            found = ElementTree.fromstring(text).find("{*}Image/{*}Description")
            text = "" if found is None else found.text or ""
    return RasterDescription.from_text(text)


def _png_description(path: Path) -> RasterDescription | None:
    with Image.open(path) as picture:
        return RasterDescription.from_text(str(picture.info.get(png.DESCRIPTION, "")))


def _zarr_description(path: Path) -> RasterDescription | None:
    found = zarr.open_group(path, mode="r").attrs.asdict().get(ome_zarr.DESCRIPTION, {})
    return RasterDescription.from_json(cast("dict[str, Any]", found))


def _uncolored(source: ImageSource) -> ImageSource:
    arrays = tuple(
        replace(array, palette=None, bands=1)
        if isinstance(array, TiffLevel) and array.palette is not None
        else array
        for array in source.arrays
    )
    return replace(source, arrays=arrays)


def _decoded(path: Path) -> ImageSource:
    with Image.open(path) as picture:
        array = DecodedPixels(np.asarray(picture, np.uint8)[..., None])
    chunk = (array.shape[0], array.shape[1])
    return ImageSource(path, (array,), (chunk,), (1.0,), ("values",))
