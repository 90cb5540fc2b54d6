"""Uncompressed pixels that lie in one run of a TIFF file."""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.pixel_file import PixelFile

CHUNK_ROWS, CHUNK_COLS = 256, 512
"""Sides of the pieces that are read at once."""


@dataclass(frozen=True, eq=False)
class ContiguousArray:
    """An array in a file, of which a window is read and no more.

    Other readers take a strip as a whole, which may be the whole image. A memory
    map would end the process when the file is cut off or goes away.
    """

    file: PixelFile
    """The file."""
    offset: int
    """Where the first value lies."""
    shape: tuple[int, ...]
    """Sizes of all axes; the last varies fastest."""
    dtype: np.dtype[np.generic]
    """Type of the values, in the file's byte order."""
    rows: int
    """Which axis is the rows; columns follow."""
    lock: AbstractContextManager[object]
    """Held while a window is read."""

    @property
    def chunks(self) -> tuple[int, ...]:
        """Sizes of the pieces that are read at once."""
        sizes = [1] * self.rows + [CHUNK_ROWS, CHUNK_COLS] + list(self.shape[self.rows + 2 :])
        return tuple(min(pair) for pair in zip(sizes, self.shape, strict=True))

    def __getitem__(self, index: tuple[slice | int, ...]) -> NDArray[np.generic]:
        """Values of slices with step 1; axes with an integer are removed."""
        parts = [part if isinstance(part, slice) else slice(part, part + 1) for part in index]
        spans = [range(*part.indices(size)) for part, size in zip(parts, self.shape, strict=True)]
        values = self._window(spans[: self.rows + 2])
        values = values[(..., *parts[self.rows + 2 :])] if parts[self.rows + 2 :] else values
        return values[tuple(slice(None) if isinstance(part, slice) else 0 for part in index)]

    def _window(self, spans: list[range]) -> NDArray[np.generic]:
        """Values of the spans, with all of the axes after the columns."""
        *planes, rows, cols = spans
        rest = self.shape[self.rows + 2 :]
        item = math.prod(rest) * self.dtype.itemsize
        width = self.shape[self.rows + 1]
        lines = [
            self.offset + (int(line) * width + cols.start) * item
            for line in self._lines([*planes, rows])
        ]
        content = self._read(lines, len(cols) * item, width * item)
        return np.frombuffer(content, self.dtype).reshape(*map(len, spans), *rest)

    def _lines(self, spans: list[range]) -> NDArray[np.intp]:
        """Which rows of all planes are wanted, counted from the first."""
        sizes = self.shape[: self.rows + 1]
        grid = np.meshgrid(*spans, indexing="ij")
        lines: NDArray[np.intp] = np.ravel_multi_index(tuple(grid), sizes).ravel()
        return lines

    def _read(self, starts: list[int], length: int, stride: int) -> bytes:
        """The bytes from each start, at once where they follow each other."""
        with self.lock:
            if length == stride and starts[-1] - starts[0] == (len(starts) - 1) * stride:
                return self._read_at(starts[0], length * len(starts))
            return b"".join(self._read_at(start, length) for start in starts)

    def _read_at(self, start: int, length: int) -> bytes:
        self.file.seek(start)
        return self.file.read(length)
