"""PNG, JPEG and BMP: files that can only be decoded as a whole."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL.BmpImagePlugin import BmpImageFile

from napari_relay.images.limits import check_content, check_size
from napari_relay.images.source import ImageSource, default_bands, native_dtype, native_pixels
from relay_tokens import UserError

SMALL_SIDE = 1024
"""Side up to which the pixels are simply kept in memory."""
JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"
"""Markers of a JPEG file: its start, the start of a scan, its end."""
JPEG_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
"""Second bytes of the JPEG markers that a frame's size follows."""
PNG_START, BMP_START = b"\x89PNG\r\n\x1a\n", b"BM"
"""First bytes of PNG and BMP files."""
BMP_CORE_HEADER = 12
"""Length of the header of the oldest BMP files, which has short sizes."""
PIXELS_PER_BYTE = 10_000
"""Pixels that a byte stands for at most: 1032 bytes of 1-bit pixels in Deflate."""
BMP_MODES = {"1": "1", "L": "L"}
"""Pillow's kinds of pixels that are kept; all others become RGB."""


def _bmp_decode(content: bytes) -> NDArray[np.generic]:
    """Decode by Pillow: other decoders crash on damaged files.

    Raises
    ------
    OSError, ValueError, SyntaxError
        When the file is damaged.
    """
    with BmpImageFile(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert(BMP_MODES.get(picture.mode, "RGB")))


SIGNATURES: dict[bytes, Callable[[bytes], NDArray[np.generic]]] = {
    PNG_START: imagecodecs.png_decode,
    JPEG_START: imagecodecs.jpeg8_decode,
    BMP_START: _bmp_decode,
}
"""First bytes of a file and what decodes it."""


@dataclass(frozen=True, eq=False)
class DecodedPixels:
    """Pixels in memory, as ``(y, x, band)``."""

    pixels: NDArray[np.generic]
    """``(y, x, band)``."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        rows, cols, bands = self.pixels.shape
        return rows, cols, bands

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type of the pixels."""
        return np.dtype(self.pixels.dtype)

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """A copy of the pixels ``(y, x, band)`` of three slices."""
        return self.pixels[key].copy()


def is_raster(start: bytes) -> bool:
    """Whether a file that starts so is a PNG, JPEG or BMP file."""
    return any(start.startswith(signature) for signature in SIGNATURES)


def open_raster(path: Path) -> ImageSource:
    """Decode a PNG, JPEG or BMP file.

    Raises
    ------
    UserError
        When it is damaged, cut off, or in CMYK colours.
    """
    pixels = _opaque(_decoded(path), path)
    array = DecodedPixels(pixels)
    return ImageSource(
        path=path,
        arrays=(array,),
        chunks=((min(SMALL_SIDE, array.shape[0]), min(SMALL_SIDE, array.shape[1])),),
        factors=(1.0,),
        bands=default_bands(array.shape[2], rgb=array.shape[2] == 3),
        lazy=max(array.shape[:2]) <= SMALL_SIDE,
    )


def _decoded(path: Path) -> NDArray[np.generic]:
    """All pixels, ``(y, x)`` or ``(y, x, band)``."""
    content = path.read_bytes()
    decode = next(d for signature, d in SIGNATURES.items() if content.startswith(signature))
    damaged = UserError(f"{path} is damaged or cut off; copy it again or export it anew.")
    # libjpeg fills up what is missing with grey; FF DA and FF D9 cannot occur
    # within a scan, so a whole file has its end after the start of its last scan.
    if content.startswith(JPEG_START) and content.rfind(JPEG_END) < content.rfind(JPEG_SCAN):
        raise damaged
    try:
        rows, cols = _claimed_size(content)
        check_size(path, rows, cols, 1)
        check_content(path, rows * cols, len(content), PIXELS_PER_BYTE)
        pixels: NDArray[np.generic] = np.asarray(decode(content))
    except (
        RuntimeError,
        ValueError,
        NotImplementedError,
        OSError,
        SyntaxError,
        struct.error,
    ) as error:
        raise damaged from error
    if content.startswith(JPEG_START) and pixels.shape[2:] == (4,):
        raise UserError(f"{path} is in CMYK colours; save it as an RGB JPEG or PNG.")
    return pixels


def _claimed_size(content: bytes) -> tuple[int, int]:
    """Rows and columns that a file says it has.

    Raises
    ------
    struct.error, ValueError
        When the file is too short, or a JPEG file has no frame.
    """
    if content.startswith(PNG_START):
        cols, rows = struct.unpack_from(">II", content, 16)
    elif content.startswith(BMP_START):
        is_old = struct.unpack_from("<I", content, 14)[0] == BMP_CORE_HEADER
        cols, rows = struct.unpack_from("<HH" if is_old else "<ii", content, 18)
    else:
        rows, cols = struct.unpack_from(">HH", content, _jpeg_frame(content) + 5)
    return abs(rows), abs(cols)


def _jpeg_frame(content: bytes) -> int:
    """Offset of the marker of a JPEG file's frame."""
    offset = 2
    while True:
        mark, kind, length = struct.unpack_from(">BBH", content, offset)
        if mark != 0xFF:
            raise ValueError("no marker")
        if kind in JPEG_FRAMES:
            return offset
        offset += 1 if kind == 0xFF else 2 + length


def _opaque(pixels: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    """Pixels ``(y, x, band)`` without an alpha band."""
    pixels = native_pixels(pixels, native_dtype(np.dtype(pixels.dtype), path))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if not pixels.size:
        raise UserError(f"{path} has no pixels; export it anew.")
    return pixels[..., : {2: 1, 4: 3}.get(pixels.shape[2], pixels.shape[2])]
