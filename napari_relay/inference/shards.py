"""The files of zarr's sharding codec, read and written a chunk at a time.

zarr itself takes several milliseconds for a part of a shard, most of it in its
event loop; a prediction writes some twenty parts for every few tiles. The
format is that of https://zarr-specs.readthedocs.io/en/latest/v3/codecs/sharding-indexed
with the index at the end, and any zarr reader reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import google_crc32c
import numpy as np
from numpy.typing import NDArray

Place = tuple[int, ...]
"""Which chunk of a shard."""

_EMPTY = np.iinfo(np.uint64).max
_CHECKSUM = struct.Struct("<I")


class ShardReader:
    """The chunks of one shard file. It shows the file as it was when it was opened.

    Raises
    ------
    ValueError
        When it is no shard of as many chunks.
    """

    def __init__(self, file: BinaryIO, counts: Place) -> None:
        self._file = file
        size = 16 * int(np.prod(counts)) + _CHECKSUM.size
        file.seek(max(file.seek(0, 2) - size, 0))
        tail = file.read(size)
        index = tail[: -_CHECKSUM.size]
        if tail[len(index) :] != _CHECKSUM.pack(google_crc32c.value(index)):
            raise ValueError("the shard's index is damaged")
        self._index = np.frombuffer(index, dtype="<u8").reshape(*counts, 2)

    def chunk(self, place: Place) -> bytes | None:
        """The encoded chunk; None when it was never written."""
        start, size = (int(value) for value in self._index[place])
        if start == _EMPTY:
            return None
        self._file.seek(start)
        return self._file.read(size)

    def chunks(self) -> dict[Place, bytes]:
        """All chunks."""
        places = product(*(range(count) for count in self._index.shape[:-1]))
        return {place: data for place in places if (data := self.chunk(place)) is not None}


@contextmanager
def open_shard(path: Path, counts: Place) -> Iterator[ShardReader | None]:
    """Read a shard file that holds ``counts`` chunks along each axis; None: there is none."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        yield None
        return
    with file:
        yield ShardReader(file, counts)


def write_shard(path: Path, counts: Place, chunks: Mapping[Place, bytes]) -> None:
    """Put a shard file in place, whole or not at all."""
    index: NDArray[np.uint64] = np.full((*counts, 2), _EMPTY, dtype="<u8")
    start = 0
    for place, data in chunks.items():
        index[place] = start, len(data)
        start += len(data)
    tail = index.tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f"{path.name}.{uuid4().hex}.partial")
    try:
        with scratch.open("wb") as file:
            file.writelines(chunks.values())
            file.write(tail + _CHECKSUM.pack(google_crc32c.value(tail)))
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
