"""Slides that OpenSlide reads: MRXS, DICOM, Hamamatsu VMS, Sakura, Ventana."""

from __future__ import annotations

import importlib.util
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.limits import check_chunk, check_size, damaged, is_lazy
from napari_relay.images.source import ImageSource, Placement, joined_chunks, level_factor
from relay_tokens import UserError

if TYPE_CHECKING:
    import openslide

CHUNK_SIDE = 512
"""Side of the pieces of a level whose own tiles are not known."""
MOST_EXTRA = 64
"""Rows and columns that are read in vain for the sake of exact pixels."""
WHITE = (255, 255, 255)
"""Background of a slide that names none."""
PLAIN_TIFF = "generic-tiff"
"""OpenSlide's name for tiled TIFF files, which it reads as 8-bit RGB whatever they are."""
DICOM_START, DICOM_MARK = 128, b"DICM"
"""Where a DICOM file has its mark, and the mark."""


class OpenSlideFile:
    """A slide that is open, and opened anew after an error.

    OpenSlide's handle is thread-safe, but useless once a read has failed.

    Parameters
    ----------
    path
        The file or folder that a person chose.
    opened
        The file that OpenSlide is given.

    Raises
    ------
    openslide.OpenSlideError
        When OpenSlide cannot read it.
    """

    def __init__(self, path: Path, opened: Path) -> None:
        self.path = path
        self._opened = opened
        self._lock = threading.Lock()
        self.slide = self._open()

    def _open(self) -> openslide.OpenSlide:
        import openslide

        # It closes itself when nothing refers to it any more.
        return openslide.OpenSlide(str(self._opened))

    def read(self, level: int, corner: tuple[int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
        """Colours and opacity ``(y, x, 4)``.

        Parameters
        ----------
        level
            Index of the level.
        corner
            Column and row of the upper-left pixel, in level-0 pixels.
        size
            Columns and rows of the level.
        """
        slide = self.slide
        try:
            return np.asarray(slide.read_region(corner, level, size))
        except Exception:
            with self._lock:
                if self.slide is slide:
                    self.slide = self._open()
            raise


@dataclass(frozen=True, eq=False)
class SlideLevel:
    """One level of a slide, as ``(y, x, band)`` on the slide's background."""

    file: OpenSlideFile
    """The slide."""
    level: int
    """Index of the level in the slide."""
    shape: tuple[int, int, int]
    """Rows, columns, bands."""
    chunk: tuple[int, int]
    """Rows and columns of a tile."""
    downsample: float
    """Level-0 pixels a pixel, as OpenSlide has it."""
    background: tuple[int, int, int]
    """Colour of what was not scanned."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type of the pixels."""
        return np.dtype(np.uint8)

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a tile, opacity included."""
        return math.prod(self.chunk) * 4

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices."""
        rows, cols, bands = key
        top, left = (_exact_start(part.start, self.downsample) for part in (rows, cols))
        corner = (round(left * self.downsample), round(top * self.downsample))
        try:
            pixels = self.file.read(self.level, corner, (cols.stop - left, rows.stop - top))
        # Every format has its own errors; all of them mean a damaged file here.
        except Exception as error:
            raise damaged(self.file.path, rows, cols) from error
        wanted = pixels[rows.start - top :, cols.start - left :]
        return np.ascontiguousarray(_composed(wanted, self.background)[..., bands])


def _exact_start(start: int, downsample: float) -> int:
    """Where to start reading a level in order to get its pixels as they are.

    OpenSlide takes whole level-0 pixels and interpolates when they fall between
    two pixels of the level: that of the last ones before ``start`` which does so least.
    """
    candidates = np.arange(max(start - MOST_EXTRA, 0), start + 1)
    off = np.abs(np.rint(candidates * downsample) / downsample - candidates)
    return int(candidates[::-1][np.argmin(np.round(off[::-1], 6))])


def _composed(pixels: NDArray[np.uint8], background: tuple[int, int, int]) -> NDArray[np.uint8]:
    """Colours ``(y, x, 3)`` of ``(y, x, 4)`` pixels laid over a background."""
    colours, opacity = pixels[..., :3], pixels[..., 3:]
    if opacity.all() and opacity.min() == 255:
        return colours
    share = opacity.astype(np.float32) / 255
    mixed = colours * share + np.asarray(background, np.float32) * (1 - share)
    result: NDArray[np.uint8] = np.rint(mixed).astype(np.uint8)
    return result


def is_slide(path: Path) -> bool:
    """Whether OpenSlide is installed and knows a file as a scanner's slide."""
    if importlib.util.find_spec("openslide") is None:
        return False
    import openslide

    try:
        return openslide.OpenSlide.detect_format(str(path)) not in (None, PLAIN_TIFF)
    except openslide.OpenSlideError:
        return False


def dicom_file(folder: Path) -> Path | None:
    """The first DICOM file of a folder, by which OpenSlide finds the others, or None."""
    if not folder.is_dir():
        return None
    return next((path for path in sorted(folder.iterdir()) if _is_dicom(path)), None)


def _is_dicom(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        file.seek(DICOM_START)
        return file.read(len(DICOM_MARK)) == DICOM_MARK


def open_slide(path: Path) -> ImageSource:
    """Read what a slide holds, without its pixels.

    Parameters
    ----------
    path
        The slide's file, or a folder of DICOM files, of which the first names the slide.

    Raises
    ------
    UserError
        When OpenSlide is not installed or cannot read the slide.
    """
    if importlib.util.find_spec("openslide") is None:
        raise UserError(
            f"{path} is a slide that needs OpenSlide; install it with "
            'pip install "napari-relay[slides]", or convert the slide to OME-TIFF.'
        )
    import openslide

    try:
        return _source(path, OpenSlideFile(path, dicom_file(path) or path))
    except openslide.OpenSlideUnsupportedFormatError as error:
        raise UserError(
            f"{path} is not a slide that can be read; keep the files of a slide together, "
            "or convert it to OME-TIFF."
        ) from error
    # Properties that are no text raise as they are decoded.
    except (openslide.OpenSlideError, ValueError) as error:
        raise UserError(
            f"{path} is damaged or cut off; copy it again with the files that belong to it."
        ) from error


def _source(path: Path, file: OpenSlideFile) -> ImageSource:
    slide = file.slide
    background = _background(slide.properties)
    levels = [_level(file, 0, background)]
    check_size(path, *levels[0].shape)
    check_chunk(path, levels[0].chunk_bytes)
    for number in range(1, slide.level_count):
        made = _level(file, number, background)
        if min(made.shape) > 0 and max(made.shape[:2]) < max(levels[-1].shape[:2]) and _lazy(made):
            levels.append(made)
    return ImageSource(
        path=path,
        arrays=tuple(levels),
        chunks=tuple(joined_chunks(level.shape, level.chunk, 1) for level in levels),
        factors=tuple(level_factor(levels[0].shape, level.shape) for level in levels),
        bands=("red", "green", "blue"),
        placement=_placement(slide.properties),
        lazy=_lazy(levels[0]),
    )


def _lazy(level: SlideLevel) -> bool:
    return is_lazy(level.shape, level.chunk, level.chunk_bytes)


def _level(file: OpenSlideFile, number: int, background: tuple[int, int, int]) -> SlideLevel:
    slide = file.slide
    width, height = slide.level_dimensions[number]
    prefix = f"openslide.level[{number}].tile"
    sides = (slide.properties.get(f"{prefix}-{name}", "") for name in ("height", "width"))
    rows, cols = (int(side) if side.isdecimal() and int(side) else CHUNK_SIDE for side in sides)
    downsample = float(slide.level_downsamples[number])
    chunk = (min(rows, height), min(cols, width))
    return SlideLevel(file, number, (height, width, 3), chunk, downsample, background)


def _background(properties: Mapping[str, str]) -> tuple[int, int, int]:
    """Colour that the slide names, e.g. ``FFFFFF``, or white."""
    try:
        red, green, blue = bytes.fromhex(properties.get("openslide.background-color", ""))
    except ValueError:
        return WHITE
    return red, green, blue


def _placement(properties: Mapping[str, str]) -> Placement:
    """Micrometres a pixel, if the slide knows them."""
    try:
        rows, cols = (float(properties[f"openslide.mpp-{axis}"]) for axis in "yx")
    except (KeyError, ValueError):
        return Placement()
    return Placement((rows, cols), "um")
