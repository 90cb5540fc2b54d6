"""TIFF, BigTIFF, GeoTIFF, OME-TIFF and the slide formats that are TIFF inside."""

from __future__ import annotations

import logging
import math
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
import zarr
from numpy.typing import NDArray

from napari_relay.images import geotiff, tiff_metadata
from napari_relay.images.contiguous import ContiguousArray
from napari_relay.images.limits import check_chunk, check_content, check_size, is_lazy
from napari_relay.images.masking import blank_value, nodata_of
from napari_relay.images.source import (
    ImageSource,
    Placement,
    default_bands,
    fitting_nodata,
    joined_chunks,
    level_factor,
    native_dtype,
)
from napari_relay.images.tiff_level import OpenTiff, StoredArray, TiffLevel
from napari_relay.images.tiff_series import (
    all_series,
    open_decoded,
    stored_axes,
    stored_shape,
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
MASK = 4
"""Bit of the subfile type of a page that says which pixels of another are valid."""
BAND_AXES = ("C", "S")
"""Axes of a series that are bands; any other is read at its first index."""
PAGE_AXES = ("Q", "I")
"""Axes that are bands when there is no other: pages of unknown meaning."""


class NotUnderstoodError(UserError):
    """A TIFF file that another reader may understand."""


def open_tiff(path: Path) -> ImageSource:
    """Read what a TIFF file holds, without its pixels.

    A file whose end is missing opens all the same, with a note that says so;
    reading what is missing raises.

    Raises
    ------
    NotUnderstoodError
        When its tags make no sense or its compression is not known.
    UserError
        When nothing of it can be read, or it holds pixels of an unknown kind.
    """
    try:
        file = OpenTiff(path)
    except PermissionError:
        raise
    # A file cut off within its tags fails in as many ways as there are tags.
    except Exception as error:
        raise _unreadable(path) from error
    try:
        return _source(file)
    except UserError:
        file.close()
        raise
    except Exception as error:
        file.close()
        raise _unreadable(path) from error


def _unreadable(path: Path) -> NotUnderstoodError:
    return NotUnderstoodError(
        f"{path} is not a readable TIFF file or is cut off; copy it again or export it anew."
    )


def _source(file: OpenTiff) -> ImageSource:
    tif = file.tif
    series = _main_series(tif, file.path)
    notes = _notes(file, series)
    levels = _masked(tif, _levels(file, series))
    first = levels[0]
    shapes, item = [level.shape for level in levels], first.dtype.itemsize
    file.pixels.strict = True
    return ImageSource(
        path=file.path,
        arrays=tuple(levels),
        chunks=tuple(joined_chunks(lv.shape, lv.chunk, item) for lv in levels),
        factors=tuple(level_factor(shapes[0], shape) for shape in shapes),
        bands=_bands(tif, series, first),
        placement=_placement(tif, series),
        nodata=_nodata(series.keyframe, first),
        lazy=is_lazy(first.shape, first.chunk, first.chunk_bytes),
        notes=notes,
    )


def _main_series(tif: tifffile.TiffFile, path: Path) -> tifffile.TiffPageSeries:
    """The first of the largest images; a slide's label and overview are smaller."""
    candidates = [s for s in all_series(tif) if {"Y", "X"} <= set(stored_axes(s)) and s.size]
    if not candidates and _has_lost_pages(tif):
        raise UserError(f"{path} is cut off: no image in it can be read; copy it again.")
    if not candidates:
        raise UserError(f"{path} holds no image; export it anew.")
    if tif.is_svs or tif.is_ome:
        return candidates[0]
    return max(candidates, key=lambda s: s.keyframe.imagewidth * s.keyframe.imagelength)


def _has_lost_pages(tif: tifffile.TiffFile) -> bool:
    """Whether the list of pages goes on beyond the end of the file."""
    pointer, handle = tif.pages.next_page_offset, tif.filehandle
    if pointer is None:
        return False
    handle.seek(pointer)
    content = handle.read(tif.tiff.offsetsize)
    if len(content) < tif.tiff.offsetsize:
        return True
    return int(struct.unpack(tif.tiff.offsetformat, content)[0]) >= handle.size


def _notes(file: OpenTiff, series: tifffile.TiffPageSeries) -> tuple[str, ...]:
    """What is missing at the end of the file."""
    share = _missing_share(series, file.path.stat().st_size)
    if share == 1:
        raise UserError(f"{file.path} is cut off: its pixels are missing; copy it again.")
    name, notes = file.path.name, []
    if share:
        shown = f"{share:.0%}" if share >= 0.01 else "less than 1%"
        notes.append(f"{name} is cut off: {shown} of its pixels are missing; copy it again.")
    if _has_lost_pages(file.tif):
        notes.append(f"{name} is cut off: smaller images at its end are missing; copy it again.")
    return tuple(notes)


def _missing_share(level: tifffile.TiffPageSeries, size: int) -> float:
    """Share of a level's pieces that lie beyond the end of the file or are not listed."""
    if level.dataoffset is not None:
        return min(max(level.dataoffset + level.nbytes - size, 0) / level.nbytes, 1.0)
    pages = [page for page in level.pages if page is not None]
    expected = len(pages) * math.prod(level.keyframe.chunked)
    listed = [
        piece
        for page in pages
        for piece in zip(page.dataoffsets, page.databytecounts, strict=False)
    ]
    whole = sum(offset + count <= size for offset, count in listed)
    return max(1 - whole / expected, 0.0)


def _levels(file: OpenTiff, series: tifffile.TiffPageSeries) -> list[TiffLevel]:
    """Level 0, and the whole others that fit it and can be read window by window."""
    levels = [_level(file, series, 0)]
    size = file.path.stat().st_size
    for number, level in enumerate(series.levels[1:], start=1):
        if not level.size or _missing_share(level, size):
            continue
        made = _level(file, series, number)
        if (
            is_lazy(made.shape, made.chunk, made.chunk_bytes)
            and (made.bands, made.dtype) == (levels[0].bands, levels[0].dtype)
            and max(made.shape[:2]) < max(levels[-1].shape[:2])
        ):
            levels.append(made)
    return levels


def _level(file: OpenTiff, series: tifffile.TiffPageSeries, number: int) -> TiffLevel:
    level = series.levels[number]
    native_dtype(np.dtype(level.dtype), file.path)
    _check(file.path, level)
    array = _stored(file, series, number)
    axes, page = stored_axes(level), level.keyframe
    band_axes = _band_axes(axes, array.shape)
    palette = _palette(page)
    stored = math.prod(array.shape[axis] for axis in band_axes)
    bands = 3 if palette is not None else stored - _alphas(page, stored)
    made = TiffLevel(file, array, axes, band_axes, bands, palette)
    check_size(file.path, *made.shape)
    check_chunk(file.path, made.chunk_bytes)
    return made


def _stored(file: OpenTiff, series: tifffile.TiffPageSeries, number: int) -> StoredArray:
    """The array of a level: of its bytes where they are the pixels, else decoded."""
    level, dtype = series.levels[number], np.dtype(series.dtype)
    if level.dataoffset is None or level.transform is not None or dtype.kind not in "uif":
        return open_decoded(series, number)
    dtype = dtype.newbyteorder(file.tif.byteorder)
    handle, shape = file.tif.filehandle, stored_shape(level)
    rows = stored_axes(level).index("Y")
    return ContiguousArray(file.pixels, level.dataoffset, shape, dtype, rows, handle.lock)


def _check(path: Path, level: tifffile.TiffPageSeries) -> None:
    """Refuse a compression that is not known, and a list of pieces that cannot be."""
    page = level.keyframe
    if page.compression not in tifffile.TIFF.DECOMPRESSORS:
        raise NotUnderstoodError(
            f"{path} is compressed in a way that cannot be read ({page.compression}); "
            "save it with Deflate or JPEG."
        )
    check_content(path, math.prod(page.chunks), path.stat().st_size)
    if level.dataoffset is None and 2 * len(page.dataoffsets) < math.prod(page.chunked):
        raise UserError(
            f"{path} lists {len(page.dataoffsets)} of {math.prod(page.chunked)} pieces of its "
            "pixels; copy it again or export it anew."
        )


def _masked(tif: tifffile.TiffFile, levels: list[TiffLevel]) -> list[TiffLevel]:
    """Levels with the masks that GDAL writes beside them; those that lack theirs are left out."""
    masks = {} if tif.is_ome or tif.is_svs else _masks(tif)
    if levels[0].shape[:2] not in masks:
        return levels
    blank = blank_value(levels[0].dtype, geotiff.nodata(_first_page(tif)))
    return [
        replace(level, mask=masks[level.shape[:2]], blank=blank)
        for level in levels
        if level.shape[:2] in masks
    ]


def _first_page(tif: tifffile.TiffFile) -> tifffile.TiffPage:
    page: tifffile.TiffPage = tif.pages.first
    return page


def _masks(tif: tifffile.TiffFile) -> dict[tuple[int, int], StoredArray]:
    """Pages that are masks, by their rows and columns."""
    return {
        (page.shape[0], page.shape[1]): zarr.open_array(page.aszarr(), mode="r")
        for page in tif.pages
        if isinstance(page, tifffile.TiffPage) and page.subfiletype & MASK and page.ndim == 2
    }


def _nodata(page: tifffile.TiffPage, level: TiffLevel) -> float | None:
    """Value of a pixel without data: that of the file, or what its mask is made of."""
    if level.mask is not None:
        return nodata_of(level.blank)
    return None if level.palette is not None else fitting_nodata(geotiff.nodata(page), level.dtype)


def _placement(tif: tifffile.TiffFile, series: tifffile.TiffPageSeries) -> Placement:
    """Pixel size and position; none of it where the tags make no sense."""
    try:
        return geotiff.placement(series.keyframe) or tiff_metadata.placement(tif, series)
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return Placement()


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
