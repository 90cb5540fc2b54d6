"""PNG, JPEG and BMP: files that can only be decoded as a whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from napari_relay.images.source import ImageSource, default_bands, native_dtype, native_pixels
from relay_tokens import UserError

SMALL_SIDE = 1024
"""Side up to which the pixels are simply kept in memory."""
JPEG_START, JPEG_SCAN, JPEG_END = b"\xff\xd8\xff", b"\xff\xda", b"\xff\xd9"
"""Markers of a JPEG file: its start, the start of a scan, its end."""
SIGNATURES: dict[bytes, Callable[[bytes], NDArray[np.generic]]] = {
    b"\x89PNG\r\n\x1a\n": imagecodecs.png_decode,
    JPEG_START: imagecodecs.jpeg8_decode,
    b"BM": imagecodecs.bmp_decode,
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
        pixels: NDArray[np.generic] = np.asarray(decode(content))
    except (RuntimeError, ValueError, NotImplementedError) as error:
        raise damaged from error
    if content.startswith(JPEG_START) and pixels.shape[2:] == (4,):
        raise UserError(f"{path} is in CMYK colours; save it as an RGB JPEG or PNG.")
    return pixels


def _opaque(pixels: NDArray[np.generic], path: Path) -> NDArray[np.generic]:
    """Pixels ``(y, x, band)`` without an alpha band."""
    pixels = native_pixels(pixels, native_dtype(np.dtype(pixels.dtype), path))
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    if not pixels.size:
        raise UserError(f"{path} has no pixels; export it anew.")
    return pixels[..., : {2: 1, 4: 3}.get(pixels.shape[2], pixels.shape[2])]
