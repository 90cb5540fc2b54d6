"""What a reader of files gives for one level."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class PixelArray(Protocol):
    """One level as its reader knows it; safe to index from several threads."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type of the pixels, in native byte order."""

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices with step 1."""


@runtime_checkable
class ChunkedArray(PixelArray, Protocol):
    """A level that lies in a file, in chunks that are decoded as a whole."""

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns that are compressed together."""


@runtime_checkable
class CheckedArray(PixelArray, Protocol):
    """A level that tells which of its pixels could be read."""

    def read(
        self, rows: slice, cols: slice
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Pixels ``(y, x, band)`` of two slices, and ``(y, x)`` or None for all."""


@runtime_checkable
class GrowingArray(ChunkedArray, Protocol):
    """A level that is being built while it is read."""

    def built(self, rows: slice, cols: slice) -> NDArray[np.bool_] | None:
        """Which pixels ``(rows, cols)`` of two slices are there; None for all."""

    def lost(self, rows: slice, cols: slice) -> NDArray[np.bool_] | None:
        """Which of them will never be, as the file is damaged there; None for none."""
