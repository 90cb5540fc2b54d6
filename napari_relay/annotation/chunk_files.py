"""The chunk files of a 2-D uint8 zarr array, read and written without zarr's event loop.

zarr takes several milliseconds a chunk, most of it not in the disk or the codec; a large
polygon has thousands of chunks. Any zarr reader reads what is written here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import zarr
from numcodecs.zstd import Zstd  # type: ignore[import-untyped]
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec
from zarr.storage import LocalStore


class ChunkFiles:
    """Chunks of one array, each whole or not at all on disk.

    Parameters
    ----------
    array
        In a local folder, with zarr 3's default names of chunks. Another codec
        than Zstandard alone is left to zarr itself.
    """

    def __init__(self, array: zarr.Array[Any]) -> None:
        store = array.store_path.store
        if not isinstance(store, LocalStore):
            raise TypeError(f"the chunk cache needs a local folder, not {store}")
        self.folder = Path(store.root / array.store_path.path / "c")
        self._array = array
        self._shape = (int(array.chunks[0]), int(array.chunks[1]))
        self._fill = int(np.asarray(array.fill_value))
        codecs = array.compressors
        is_plain = len(codecs) == 1 and isinstance(codecs[0], ZstdCodec) and not array.filters
        self._codec = Zstd(level=1) if is_plain and array.shards is None else None

    def path(self, row: int, col: int) -> Path:
        """Where a chunk lies, if anything but the fill value is in it."""
        return self.folder / str(row) / str(col)

    def read(self, row: int, col: int, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """The part of a chunk inside the array, ``shape``, to be written in."""
        if self._codec is None:
            return np.array(self._array[self._slices(row, col, shape)], dtype=np.uint8)
        try:
            data = self._codec.decode(self.path(row, col).read_bytes())
        except FileNotFoundError:
            return np.full(shape, self._fill, np.uint8)
        chunk = np.frombuffer(data, np.uint8).reshape(self._shape)
        return chunk[: shape[0], : shape[1]].copy()

    def write(self, row: int, col: int, chunk: NDArray[np.uint8]) -> None:
        """Put the part of a chunk inside the array on disk; one of fill values has no file."""
        if self._codec is None:
            shape = (int(chunk.shape[0]), int(chunk.shape[1]))
            self._array[self._slices(row, col, shape)] = chunk
        elif (chunk == self._fill).all():
            self.path(row, col).unlink(missing_ok=True)
        else:
            whole = chunk
            if chunk.shape != self._shape:
                whole = np.full(self._shape, self._fill, np.uint8)
                whole[: chunk.shape[0], : chunk.shape[1]] = chunk
            _replace(self.path(row, col), self._codec.encode(np.ascontiguousarray(whole)))

    def sync(self, row: int, col: int) -> None:
        """Have a chunk on the disk itself, so that a power cut leaves no empty file of it.

        A killed process needs none of this: what it has written is the system's.
        """
        try:
            number = os.open(self.path(row, col), os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            os.fsync(number)
        finally:
            os.close(number)

    def stored(self) -> list[tuple[int, int]]:
        """Row and column of each chunk that has a file."""
        return [
            (int(path.parent.name), int(path.name))
            for path in self.folder.glob("*/*")
            if path.name.isdecimal() and path.parent.name.isdecimal()
        ]

    def _slices(self, row: int, col: int, shape: tuple[int, int]) -> tuple[slice, slice]:
        y, x = row * self._shape[0], col * self._shape[1]
        return slice(y, y + shape[0]), slice(x, x + shape[1])


def _replace(path: Path, data: bytes) -> None:
    scratch = path.with_name(f"{path.name}.{uuid4().hex}.partial")
    try:
        try:
            scratch.write_bytes(data)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            scratch.write_bytes(data)
        scratch.replace(path)
    except OSError:
        scratch.unlink(missing_ok=True)
        raise
