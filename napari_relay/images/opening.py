"""Open an image file or folder, whatever its format."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from napari_relay.images.cache import built, copied_source, with_all_levels
from napari_relay.images.gdal_raster import TIFF_DRIVERS, gdal_suffixes, open_gdal_raster
from napari_relay.images.landscape import open_landscape
from napari_relay.images.level_folder import CachePlace
from napari_relay.images.limits import check_size, plausible, with_pixel_size
from napari_relay.images.ome_zarr import metadata_file, open_ome_zarr
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.raster import is_raster, open_raster
from napari_relay.images.slide import dicom_file, is_slide, open_slide
from napari_relay.images.source import ImageSource
from napari_relay.images.tiff import NotUnderstoodError, open_tiff
from napari_relay.landscapes import LANDSCAPE_SUFFIX
from relay_tokens import UserError

TIFF_SUFFIXES = (".svs", ".tif", ".tiff", ".btf", ".tf8", ".ndpi", ".scn", ".bif", ".qptiff")
"""Suffixes of files that are TIFF inside."""
RASTER_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
"""Suffixes of files that are decoded as a whole."""
ZARR_SUFFIX = ".zarr"
"""Suffix of OME-Zarr folders."""
SLIDE_SUFFIXES = (".mrxs", ".dcm", ".vms", ".vmu", ".svslide")
"""Suffixes of slides that are not TIFF inside."""
OVERLAPPING_SUFFIXES = (".bif",)
"""Suffixes of TIFF files whose tiles overlap, which only OpenSlide puts together."""
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of TIFF and BigTIFF files."""


def image_suffixes() -> tuple[str, ...]:
    """Suffixes of what :func:`open_image` can open, in lower case, with the dot."""
    files = (*TIFF_SUFFIXES, *RASTER_SUFFIXES, *SLIDE_SUFFIXES, *gdal_suffixes())
    return (*files, ZARR_SUFFIX, LANDSCAPE_SUFFIX)


def open_image(
    path: str | Path,
    *,
    progress: Callable[[int, int], None] | None = None,
    pixel_size: float | None = None,
    unit: str = "um",
    wait: bool = True,
    cache: CachePlace = "user",
) -> PyramidImage:
    """Open an image lazily, with all the levels that viewing and inference need.

    Levels that the file lacks are built once, in the cache folder (see
    :func:`napari_relay.folders.cache_folder`) or beside the image, and reused
    until the file changes. A build that was ended goes on at the next opening.

    Parameters
    ----------
    path
        A file of a kind in :func:`image_suffixes`, or a folder: OME-Zarr 0.4 or
        0.5, or a slide in DICOM. Of further axes (time, depth) the first is taken.
    progress
        Called with ``(blocks done, blocks in all)`` while levels are built, in
        the calling thread; an exception from it ends the build.
    pixel_size
        Side of a level-0 pixel, for a file that does not say it; the pixel size
        that a file has of its own is kept.
    unit
        Unit of ``pixel_size``: ``"um"``, ``"m"`` or ``"degree"``.
    wait
        Build missing levels now. Otherwise the image comes at once, its levels
        blank where they are not built; iterate ``image.build.run()`` to build them.
    cache
        Where missing levels are built: ``"user"`` or ``"beside"``. Those beside
        an image are found and renewed without being asked for.

    Returns
    -------
    PyramidImage
        Levels ``(y, x, band)``; opacity is dropped. ``pixel_size`` is None when
        neither the file nor the caller has one. What is odd about the file, such
        as a missing end, is in ``notes``.

    Raises
    ------
    UserError
        When the file is missing, unreadable, damaged or of an unknown format, or
        when the disk has no room for the levels.
    """
    path = Path(path)
    try:
        source = _checked(_source(path))
        if pixel_size is not None:
            source = with_pixel_size(source, pixel_size, unit)
        source = with_all_levels(source, cache)
        return (built(source, progress) if wait else source).image()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; check the path.") from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read; change its permissions or copy it.") from error
    except MemoryError as error:
        raise UserError(
            f"{path} is too large to be decoded as a whole; convert it to a tiled TIFF."
        ) from error


def _checked(source: ImageSource) -> ImageSource:
    """The source, if an image can be so large, without metadata that cannot be."""
    check_size(source.path, *source.arrays[0].shape)
    return replace(source, placement=plausible(source.placement))


def _source(path: Path) -> ImageSource:
    """What the reader for this file or folder finds."""
    path.stat()
    suffix = path.suffix.lower()
    if path.is_dir():
        is_dicom = metadata_file(path) is None and dicom_file(path) is not None
        return open_slide(path) if is_dicom else open_ome_zarr(path)
    start = _start(path)
    if suffix not in image_suffixes():
        known = ", ".join(image_suffixes())
        raise UserError(
            f"{path} is of a format that cannot be opened; convert it to one of {known}."
        )
    if suffix == LANDSCAPE_SUFFIX:
        return open_landscape(path)
    if suffix in SLIDE_SUFFIXES:  # an MRXS file itself is a JPEG picture of the label
        return open_slide(path)
    if is_raster(start):
        return copied_source(path) or open_raster(path)
    if start.startswith(TIFF_SIGNATURES):
        return _open_any_tiff(path)
    if suffix in gdal_suffixes():
        return open_gdal_raster(path)
    raise UserError(f"{path} is not an image in spite of its name; choose another file.")


def _open_any_tiff(path: Path) -> ImageSource:
    """A TIFF file, or what OpenSlide or GDAL make of one that tifffile does not understand."""
    if path.suffix.lower() in OVERLAPPING_SUFFIXES and is_slide(path):
        return open_slide(path)
    try:
        return open_tiff(path)
    except NotUnderstoodError:
        if is_slide(path):
            return open_slide(path)
        if importlib.util.find_spec("rasterio") is None:
            raise
        try:
            return open_gdal_raster(path, TIFF_DRIVERS)
        except UserError:
            pass
        raise


def _start(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise UserError(f"{path} is empty; copy it again or export it anew.")
    return start
