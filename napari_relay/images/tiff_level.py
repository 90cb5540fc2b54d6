"""One level of a TIFF file, read window by window."""

from __future__ import annotations

import math
import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_relay.images.limits import damaged
from napari_relay.images.pixel_file import PixelFile
from napari_relay.images.source import native_dtype, native_pixels


class OpenTiff:
    """Keeps a TIFF file open for as long as one of its levels is in use.

    Raises
    ------
    tifffile.TiffFileError, ValueError, IndexError, OSError
        When it is no TIFF file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pixels = PixelFile(path)
        try:
            self.tif = tifffile.TiffFile(self.pixels)
        except BaseException:
            self.pixels.close()
            raise
        self.tif.filehandle.set_lock(True)
        self._closing = weakref.finalize(self, _close, self.tif, self.pixels)

    def close(self) -> None:
        """Close the file."""
        self._closing()


def _close(tif: tifffile.TiffFile, pixels: PixelFile) -> None:
    """Close a file, and those that its metadata name."""
    tif.close()
    pixels.close()


class StoredArray(Protocol):
    """An array with all axes of a series, read in chunks; safe to index from several threads."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Sizes of all axes."""

    @property
    def chunks(self) -> tuple[int, ...]:
        """Sizes of what is decoded at once."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the values, in any byte order."""

    def __getitem__(self, index: Any, /) -> Any:
        """Values of slices; axes with an integer are removed."""


@dataclass(frozen=True, eq=False)
class TiffLevel:
    """One level of a TIFF series, as ``(y, x, band)``."""

    file: OpenTiff
    """Keeps the file open."""
    array: StoredArray
    """The level with all its axes."""
    axes: str
    """A letter for each axis of :attr:`array`."""
    band_axes: tuple[int, ...]
    """Axes of :attr:`array` that are bands, in order."""
    bands: int
    """How many of the bands are kept, from the first."""
    palette: NDArray[np.uint8] | None
    """``(index, 3)`` colours of an image of colour indices."""
    mask: StoredArray | None = None
    """``(y, x)``: 0 where a pixel has no data."""
    blank: float = 0.0
    """Value of the pixels that :attr:`mask` leaves out."""

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
        """Bytes that are decoded for all bands of the largest chunk."""
        pieces = math.prod(
            math.ceil(self.array.shape[axis] / self.array.chunks[axis]) for axis in self.band_axes
        )
        item = np.dtype(self.array.dtype).itemsize
        return pieces * math.prod(self.array.chunks) * item

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
        return np.ascontiguousarray(self._unmasked(pixels, key)[..., key[2]])

    def _stored(self, rows: slice, cols: slice) -> NDArray[np.generic]:
        """Pixels with their axes in the file's order, those of no interest removed."""
        index: list[slice | int] = [0] * len(self.axes)
        index[self.axes.index("Y")], index[self.axes.index("X")] = rows, cols
        for axis in self.band_axes:
            index[axis] = slice(None)
        return self._read(self.array, tuple(index), rows, cols)

    def _unmasked(
        self, pixels: NDArray[np.generic], key: tuple[slice, slice, slice]
    ) -> NDArray[np.generic]:
        """Pixels with those that the mask leaves out made blank."""
        if self.mask is None:
            return pixels
        shown = self._read(self.mask, key[:2], *key[:2]) != 0
        return np.where(shown[..., None], pixels, pixels.dtype.type(self.blank))

    def _read(
        self, array: StoredArray, index: tuple[slice | int, ...], rows: slice, cols: slice
    ) -> NDArray[np.generic]:
        try:
            return np.asarray(array[index])
        # Every codec has its own exceptions; all of them mean a damaged file here.
        except Exception as error:
            raise damaged(self.file.path, rows, cols) from error
