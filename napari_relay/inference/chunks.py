"""Writing parts of zarr arrays chunk by chunk."""

from __future__ import annotations

import errno
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from relay_tokens.errors import UserError

COMPRESSOR = BloscCodec(cname="zstd", clevel=1)
"""Fast, and small for label maps."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CAPACITY = 64

Block = tuple[int, int]


class ChunkWriter:
    """Writes parts of an array over its last two axes, a whole chunk at a time.

    Neighbouring tiles share chunks; the latest chunks are kept in memory so
    that none is read back and decompressed for every tile. Leading axes must
    be one chunk. For one writing thread.
    """

    def __init__(self, array: zarr.Array[Any]) -> None:
        self._array = array
        self._blocks: OrderedDict[Block, NDArray[np.generic]] = OrderedDict()
        self._changed: set[Block] = set()

    def write(self, row: int, col: int, values: NDArray[np.generic]) -> None:
        """Put ``values`` ``(..., rows, cols)`` at ``(row, col)``; on disk after :meth:`flush`."""
        height, width = values.shape[-2:]
        for block, part in self._overlaps(row, col, height, width):
            y, x = self._origin(block)
            here = slice(part[0] - y, part[1] - y), slice(part[2] - x, part[3] - x)
            there = slice(part[0] - row, part[1] - row), slice(part[2] - col, part[3] - col)
            self._load(block)[..., *here] = values[..., *there]
            self._changed.add(block)

    def flush(self) -> None:
        """Write every changed chunk."""
        for block in sorted(self._changed):
            self._array[..., *self._region(block)] = self._blocks[block]
        self._changed.clear()
        while len(self._blocks) > _CAPACITY:
            self._blocks.popitem(last=False)

    def _overlaps(
        self, row: int, col: int, height: int, width: int
    ) -> Iterator[tuple[Block, tuple[int, int, int, int]]]:
        """Each chunk the area meets, and the common ``(y0, y1, x0, x1)``."""
        rows, cols = self._array.chunks[-2:]
        for i in range(row // rows, (row + height - 1) // rows + 1):
            for j in range(col // cols, (col + width - 1) // cols + 1):
                y0, y1 = max(row, i * rows), min(row + height, (i + 1) * rows)
                x0, x1 = max(col, j * cols), min(col + width, (j + 1) * cols)
                yield (i, j), (y0, y1, x0, x1)

    def _origin(self, block: Block) -> tuple[int, int]:
        rows, cols = self._array.chunks[-2:]
        return block[0] * rows, block[1] * cols

    def _region(self, block: Block) -> tuple[slice, slice]:
        (y, x), (rows, cols) = self._origin(block), self._array.chunks[-2:]
        height, width = self._array.shape[-2:]
        return slice(y, min(y + rows, height)), slice(x, min(x + cols, width))

    def _load(self, block: Block) -> NDArray[np.generic]:
        if block not in self._blocks:
            self._blocks[block] = np.array(self._array[..., *self._region(block)])
        self._blocks.move_to_end(block)
        return self._blocks[block]


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """Turn a full disk into a sentence that names the folder."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise UserError(
                f"There is no room left to write {folder}; free some space and start again: "
                "what is finished is kept."
            ) from error
        if isinstance(error, PermissionError) or error.errno == errno.EROFS:
            raise UserError(
                f"{folder} cannot be written; choose a folder you may write to."
            ) from error
        raise
