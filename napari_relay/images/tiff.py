"""TIFF, BigTIFF, GeoTIFF, OME-TIFF and the slide formats that are TIFF inside."""

from __future__ import annotations

import logging
import math
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from napari_relay.images import geotiff, tiff_metadata
from napari_relay.images.source import (
    LAZY_CHUNK_BYTES,
    ImageSource,
    default_bands,
    fitting_nodata,
    joined_chunks,
    level_factor,
    native_dtype,
    native_pixels,
)
from relay_tokens import UserError

# tifffile logs what it finds odd in a file; without a handler Python prints that.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

PALETTE = 3
"""Photometric interpretation of colour indices."""
RGB_KINDS = (2, 6)
"""Photometric interpretations that are decoded to RGB: RGB and YCbCr."""
ALPHA = (1, 2)
"""Kinds of extra sample that are opacity."""
BAND_AXES = ("C", "S")
"""Axes of a series that are bands; any other is read at its first index."""
PAGE_AXES = ("Q", "I")
"""Axes that are bands when there is no other: pages of unknown meaning."""


class OpenTiff:
    """Keeps a TIFF file open for as long as one of its levels is in use."""

    def __init__(self, path: Path, tif: tifffile.TiffFile) -> None:
        self.path = path
        weakref.finalize(self, tif.close)


@dataclass(frozen=True, eq=False)
class TiffLevel:
    """One level of a TIFF series, as ``(y, x, band)``."""

    file: OpenTiff
    """Keeps the file open."""
    array: zarr.Array[Any]
    """The level with all its axes."""
    axes: str
    """A letter for each axis of :attr:`array`."""
    band_axes: tuple[int, ...]
    """Axes of :attr:`array` that are bands, in order."""
    bands: int
    """How many of the bands are kept, from the first."""
    palette: NDArray[np.uint8] | None
    """``(index, 3)`` colours of an image of colour indices."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        sizes = self.array.shape
        return sizes[self.axes.index("Y")], sizes[self.axes.index("X")], self.bands

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type in native byte order."""
        if self.palette is not None:
            return self.palette.dtype
        return native_dtype(np.dtype(self.array.dtype), self.file.path)

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns that the file compresses together."""
        sizes = self.array.chunks
        return sizes[self.axes.index("Y")], sizes[self.axes.index("X")]

    @property
    def chunk_bytes(self) -> int:
        """Bytes of the largest piece that must be decoded at once."""
        return math.prod(self.array.chunks) * np.dtype(self.array.dtype).itemsize

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices."""
        stored = self._stored(key[0], key[1])
        kept = [self.axes.index("Y"), self.axes.index("X"), *self.band_axes]
        pixels = stored.transpose([sorted(kept).index(axis) for axis in kept])
        pixels = pixels.reshape(*pixels.shape[:2], -1)
        if self.palette is None:
            pixels = native_pixels(pixels[..., : self.bands], self.dtype)
        else:
            pixels = self.palette[np.minimum(pixels[..., 0], len(self.palette) - 1)]
        return np.ascontiguousarray(pixels[..., key[2]])

    def _stored(self, rows: slice, cols: slice) -> NDArray[np.generic]:
        """Pixels with their axes in the file's order, those of no interest removed."""
        index: list[slice | int] = [0] * len(self.axes)
        index[self.axes.index("Y")], index[self.axes.index("X")] = rows, cols
        for axis in self.band_axes:
            index[axis] = slice(None)
        try:
            return np.asarray(self.array[tuple(index)])
        # Every codec has its own exceptions; all of them mean a damaged file here.
        except Exception as error:
            raise UserError(
                f"{self.file.path} is damaged around row {rows.start}, column {cols.start}; "
                "copy it again or export it anew."
            ) from error


def open_tiff(path: Path) -> ImageSource:
    """Read what a TIFF file holds, without its pixels.

    Raises
    ------
    UserError
        When it is no TIFF file, is cut off, or holds pixels of an unknown kind.
    """
    try:
        tif = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, ValueError, IndexError, OSError) as error:
        raise _unreadable(path) from error
    try:
        return _source(OpenTiff(path, tif), tif)
    except UserError:
        tif.close()
        raise
    # A file cut off within its tags fails in as many ways as there are tags.
    except Exception as error:
        tif.close()
        raise _unreadable(path) from error


def _unreadable(path: Path) -> UserError:
    return UserError(
        f"{path} is not a readable TIFF file or is cut off; copy it again or export it anew."
    )


def _source(file: OpenTiff, tif: tifffile.TiffFile) -> ImageSource:
    series = _main_series(tif, file.path)
    page = series.keyframe
    levels = _levels(file, series)
    names, nodata = _bands(tif, series, levels[0]), geotiff.nodata(page)
    shapes = [level.shape for level in levels]
    item = levels[0].dtype.itemsize
    return ImageSource(
        path=file.path,
        arrays=tuple(levels),
        chunks=tuple(joined_chunks(lv.shape, lv.chunk, item) for lv in levels),
        factors=tuple(level_factor(shapes[0], shape) for shape in shapes),
        bands=names,
        placement=geotiff.placement(page) or tiff_metadata.placement(tif, series),
        nodata=None if levels[0].palette is not None else fitting_nodata(nodata, levels[0].dtype),
        lazy=levels[0].chunk_bytes <= LAZY_CHUNK_BYTES,
    )


def _main_series(tif: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """The first of the largest images; a slide's label and overview are smaller."""
    candidates = [s for s in tif.series if {"Y", "X"} <= set(s.get_axes(False)) and s.size]
    if not candidates:
        raise UserError(f"{path} holds no image; export it anew.")
    if tif.is_svs or tif.is_ome:
        return candidates[0]
    return max(candidates, key=lambda s: s.keyframe.imagewidth * s.keyframe.imagelength)


def _levels(file: OpenTiff, series: tifffile.TiffPageSeries) -> list[TiffLevel]:
    """Level 0, and the others that fit it and can be read window by window."""
    levels: list[TiffLevel] = []
    for number, level in enumerate(series.levels):
        _check_extent(file.path, level)
        made = _level(file, series, number)
        if not levels or (
            made.chunk_bytes <= LAZY_CHUNK_BYTES
            and (made.bands, made.dtype) == (levels[0].bands, levels[0].dtype)
            and max(made.shape[:2]) < max(levels[-1].shape[:2])
        ):
            levels.append(made)
    return levels


def _level(file: OpenTiff, series: tifffile.TiffPageSeries, number: int) -> TiffLevel:
    level = series.levels[number]
    native_dtype(np.dtype(level.dtype), file.path)
    array = zarr.open_array(series.aszarr(level=number, squeeze=False), mode="r")
    axes, page = level.get_axes(False), level.keyframe
    band_axes = _band_axes(axes, array.shape)
    palette = _palette(page)
    stored = math.prod(array.shape[axis] for axis in band_axes)
    bands = 3 if palette is not None else stored - _alphas(page, stored)
    return TiffLevel(file, array, axes, band_axes, bands, palette)


def _band_axes(axes: str, shape: tuple[int, ...]) -> tuple[int, ...]:
    """Axes longer than 1 that are bands."""
    for letters in (BAND_AXES, PAGE_AXES):
        found = [k for k, a in enumerate(axes) if a in letters and shape[k] > 1]
        if found:
            return tuple(found)
    return ()


def _palette(page: tifffile.TiffPage) -> NDArray[np.uint8] | None:
    """Colours ``(index, 3)`` in 8 bits; the file has them as ``(3, index)`` in 16."""
    if page.photometric != PALETTE or page.colormap is None:
        return None
    colours: NDArray[np.uint8] = (np.asarray(page.colormap).T >> 8).astype(np.uint8)
    return colours


def _alphas(page: tifffile.TiffPage, stored: int) -> int:
    """How many of the last bands are opacity."""
    single_page = stored == page.samplesperpixel
    return int(bool(single_page and page.extrasamples and page.extrasamples[-1] in ALPHA))


def _bands(
    tif: tifffile.TiffFile, series: tifffile.TiffPageSeries, level: TiffLevel
) -> tuple[str, ...]:
    """Names from the metadata, from the colours, or from the position."""
    page, count = series.keyframe, level.bands
    rgb = level.palette is not None or (
        page.photometric in RGB_KINDS and page.samplesperpixel >= 3 and count >= 3
    )
    terrain = count == 1 and bool(page.geotiff_tags) and level.dtype.kind == "f"
    names = list(("elevation",) if terrain else default_bands(count, rgb))
    given = geotiff.band_names(page)
    if not rgb:
        given = given or dict(enumerate(tiff_metadata.channel_names(tif, series, count)))
    for band, name in given.items():
        if band < count and level.palette is None:
            names[band] = name
    return tuple(names)


def _check_extent(path: Path, level: tifffile.TiffPageSeries) -> None:
    """Find out at opening, not in the midst of a prediction, that pixels are missing."""
    pages = [page for page in level.pages if page is not None]
    ends = [
        offset + count
        for page in pages
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)
    ]
    if level.dataoffset is not None:
        ends.append(level.dataoffset + level.nbytes)
    if max(ends, default=0) > path.stat().st_size:
        raise UserError(f"{path} is cut off: pixels are missing at its end; copy it again.")
