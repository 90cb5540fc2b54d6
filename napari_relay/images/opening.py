"""Open an image file or folder, whatever its format."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from napari_relay.images.cache import complete, copied_source
from napari_relay.images.ome_zarr import open_ome_zarr
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.raster import is_raster, open_raster
from napari_relay.images.source import ImageSource
from napari_relay.images.tiff import open_tiff
from relay_tokens import UserError

TIFF_SUFFIXES = (".svs", ".tif", ".tiff", ".btf", ".tf8", ".ndpi", ".scn", ".bif", ".qptiff")
"""Suffixes of files that are TIFF inside."""
RASTER_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
"""Suffixes of files that are decoded as a whole."""
ZARR_SUFFIX = ".zarr"
"""Suffix of OME-Zarr folders."""
SLIDE_SUFFIXES = (".mrxs", ".dcm", ".vms", ".vmu", ".svslide", ".czi")
"""Suffixes of slides that are not TIFF inside."""
TIFF_SIGNATURES = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""First bytes of TIFF and BigTIFF files."""


def image_suffixes() -> tuple[str, ...]:
    """Suffixes of what :func:`open_image` can open, in lower case, with the dot."""
    return (*TIFF_SUFFIXES, *RASTER_SUFFIXES, ZARR_SUFFIX)


def open_image(
    path: str | Path, *, progress: Callable[[int, int], None] | None = None
) -> PyramidImage:
    """Open an image lazily, with all the levels that viewing and inference need.

    Levels that the file lacks are built once, in the cache folder (see
    :func:`napari_relay.folders.cache_folder`), and reused until the file changes.

    Parameters
    ----------
    path
        SVS, TIFF, BigTIFF, OME-TIFF, GeoTIFF, PNG, JPEG or BMP file, or an
        OME-Zarr 0.4 or 0.5 folder. Of further axes (time, depth) the first is taken.
    progress
        Called with ``(blocks done, blocks in all)`` while levels are built, in
        the calling thread; an exception from it ends the build and leaves nothing.

    Returns
    -------
    PyramidImage
        Levels ``(y, x, band)``; opacity is dropped.

    Raises
    ------
    UserError
        When the file is missing, unreadable, damaged or of an unknown format, or
        when the disk has no room for the levels.
    """
    path = Path(path)
    try:
        return complete(_source(path), progress).image()
    except FileNotFoundError as error:
        raise UserError(f"{path} does not exist; check the path.") from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read; change its permissions or copy it.") from error
    except MemoryError as error:
        raise UserError(
            f"{path} is too large to be decoded as a whole; convert it to a tiled TIFF."
        ) from error


def _source(path: Path) -> ImageSource:
    """What the reader for this file or folder finds."""
    path.stat()
    if path.is_dir():
        return open_ome_zarr(path)
    start = _start(path)
    if path.suffix.lower() in SLIDE_SUFFIXES:
        raise _slide_error(path)
    if path.suffix.lower() not in image_suffixes():
        known = ", ".join(image_suffixes())
        raise UserError(
            f"{path} is of a format that cannot be opened; convert it to one of {known}."
        )
    if is_raster(start):
        return copied_source(path) or open_raster(path)
    if start.startswith(TIFF_SIGNATURES):
        return open_tiff(path)
    raise UserError(f"{path} is not an image in spite of its name; choose another file.")


def _start(path: Path) -> bytes:
    """The first bytes of a file."""
    with path.open("rb") as file:
        start = file.read(16)
    if not start:
        raise UserError(f"{path} is empty; copy it again or export it anew.")
    return start


def _slide_error(path: Path) -> UserError:
    """What to do about a slide that only OpenSlide reads."""
    if importlib.util.find_spec("openslide") is None:
        return UserError(
            f"{path} is a slide that needs OpenSlide; install it with "
            'pip install "napari-relay[slides]", or convert the slide to OME-TIFF.'
        )
    return UserError(
        f"{path} is a slide of a format that is not supported yet; convert it to OME-TIFF or SVS."
    )
