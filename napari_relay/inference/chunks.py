"""Arrays on disk that are read by windows and written chunk by chunk."""

from __future__ import annotations

import errno
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from numcodecs.blosc import AUTOSHUFFLE, Blosc  # type: ignore[import-untyped]
from numpy.typing import NDArray
from zarr.codecs import BloscCodec
from zarr.storage import LocalStore

from napari_relay.inference.shards import Place, open_shard, write_shard
from relay_tokens.errors import UserError

COMPRESSOR = BloscCodec(cname="zstd", clevel=1)
"""Fast, and small for label maps."""

_CODEC = Blosc(cname="zstd", clevel=1, shuffle=AUTOSHUFFLE)
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CAPACITY = 12 * 2**20

Block = tuple[int, int]
Index = int | slice


class _Overlap(NamedTuple):
    """What a line has in common with one of the equal pieces it is cut into."""

    piece: int
    """Which piece."""
    inside: slice
    """The common part, counted from the piece's start."""
    outside: slice
    """The common part, counted from the line's start."""


def _overlaps(start: int, stop: int, side: int) -> list[_Overlap]:
    found = []
    for piece in range(start // side, -(-stop // side)):
        first, last = max(start, piece * side), min(stop, (piece + 1) * side)
        inside = slice(first - piece * side, last - piece * side)
        found.append(_Overlap(piece, inside, slice(first - start, last - start)))
    return found


class StoredArray:
    """A zarr array in shards. Any thread may read while one writes.

    Its items are read from disk when it is indexed, by whole numbers and slices.
    """

    def __init__(self, array: zarr.Array[Any]) -> None:
        store = array.store_path.store
        if not isinstance(store, LocalStore) or array.shards is None:
            raise TypeError(f"{array.path} is not an array in shards in a folder")
        self._folder = Path(store.root) / array.path
        self._name = array.metadata.encode_chunk_key
        self.shape = array.shape
        self.dtype: np.dtype[Any] = np.dtype(array.dtype)
        self.fill = array.fill_value
        self.ndim = array.ndim
        self.size = array.size
        self.chunks = array.chunks
        self.shards = array.shards
        self._counts = tuple(s // c for s, c in zip(self.shards, self.chunks, strict=True))

    def __getitem__(self, key: Index | tuple[Index, ...]) -> NDArray[Any]:
        keys = key if isinstance(key, tuple) else (key,)
        keys = (*keys, *[slice(None)] * (self.ndim - len(keys)))
        box = [_bounds(one, side) for one, side in zip(keys, self.shape, strict=True)]
        # Within the box a slice is left with its step, and a number with the only item.
        rest = tuple(slice(None, None, k.step) if isinstance(k, slice) else 0 for k in keys)
        return self.read(box)[rest]

    def __array__(
        self, dtype: np.dtype[Any] | None = None, copy: bool | None = None
    ) -> NDArray[Any]:
        return self[()].astype(dtype or self.dtype, copy=False)

    def read(self, box: Sequence[tuple[int, int]]) -> NDArray[Any]:
        """Items between ``(start, stop)`` of each axis."""
        out = np.full([stop - start for start, stop in box], self.fill, dtype=self.dtype)
        lines = zip(box, self.shards, strict=True)
        for parts in product(*(_overlaps(start, stop, side) for (start, stop), side in lines)):
            path = self._path(tuple(part.piece for part in parts))
            target = out[tuple(part.outside for part in parts)]
            self._read_shard(path, [part.inside for part in parts], target)
        return out

    def _path(self, shard: Place) -> Path:
        return self._folder / self._name(shard)

    def _read_shard(self, path: Path, box: Sequence[slice], out: NDArray[Any]) -> None:
        lines = [_overlaps(s.start, s.stop, c) for s, c in zip(box, self.chunks, strict=True)]
        with _sound(path), open_shard(path, self._counts) as shard:
            if shard is None:
                return
            for parts in product(*lines):
                data = shard.chunk(tuple(part.piece for part in parts))
                if data is not None:
                    chunk = np.empty(self.chunks, self.dtype)
                    _CODEC.decode(data, chunk)
                    inside = chunk[tuple(part.inside for part in parts)]
                    out[tuple(part.outside for part in parts)] = inside

    def put(self, blocks: Mapping[Block, NDArray[Any]]) -> None:
        """Write whole chunks of the last two axes, with everything on the axes before."""
        shards: dict[Place, dict[Place, NDArray[Any]]] = {}
        leading = (0,) * (self.ndim - 2)
        rows, cols = self._counts[-2:]
        for (i, j), values in blocks.items():
            shard = shards.setdefault((*leading, i // rows, j // cols), {})
            shard[i % rows, j % cols] = values
        for place, changed in shards.items():
            self._put_shard(self._path(place), changed)

    def _put_shard(self, path: Path, changed: Mapping[Place, NDArray[Any]]) -> None:
        with _sound(path), open_shard(path, self._counts) as shard:
            chunks = shard.chunks() if shard else {}
        for place, values in changed.items():
            for lead in np.ndindex(self._counts[:-2]):
                first = (slice(k * n, (k + 1) * n) for k, n in zip(lead, self.chunks, strict=False))
                chunks[*lead, *place] = _CODEC.encode(np.ascontiguousarray(values[*first,]))
        write_shard(path, self._counts, chunks)


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Turn a damaged shard into a sentence that names the file."""
    try:
        yield
    except (RuntimeError, ValueError) as error:
        raise UserError(f"{path} is damaged; predict again into another folder.") from error


def _bounds(key: Index, side: int) -> tuple[int, int]:
    """What an index takes of an axis, from ``start`` to ``stop``; steps are positive."""
    if isinstance(key, slice):
        start, stop, _ = key.indices(side)
        return start, max(start, stop)
    if not -side <= key < side:
        raise IndexError(f"index {key} is outside an axis of {side}")
    return key % side, key % side + 1


class ChunkWriter:
    """Writes parts of an array over its last two axes, a whole chunk at a time.

    Neighbouring tiles share chunks; the latest chunks are kept in memory so
    that none is read back and decompressed for every tile. For one writing
    thread.
    """

    def __init__(self, array: StoredArray) -> None:
        self._array = array
        self._blocks: OrderedDict[Block, NDArray[Any]] = OrderedDict()
        self._changed: set[Block] = set()
        self._side = array.chunks[-2], array.chunks[-1]
        size = int(np.prod([*array.shape[:-2], *self._side])) * array.dtype.itemsize
        self._capacity = max(_CAPACITY // size, 2)

    def write(self, row: int, col: int, values: NDArray[Any]) -> None:
        """Put ``values`` ``(..., rows, cols)`` at ``(row, col)``; on disk after :meth:`flush`."""
        height, width = values.shape[-2:]
        rows = _overlaps(row, row + height, self._side[0])
        for y, x in product(rows, _overlaps(col, col + width, self._side[1])):
            block = y.piece, x.piece
            self._load(block)[..., y.inside, x.inside] = values[..., y.outside, x.outside]
            self._changed.add(block)

    def flush(self) -> None:
        """Write every changed chunk."""
        self._array.put({block: self._blocks[block] for block in sorted(self._changed)})
        self._changed.clear()
        while len(self._blocks) > self._capacity:
            self._blocks.popitem(last=False)

    def forget(self) -> None:
        """Drop the chunks in memory: another process may have written them."""
        self._blocks.clear()

    def _load(self, block: Block) -> NDArray[Any]:
        if block not in self._blocks:
            self._blocks[block] = self._read(block)
        self._blocks.move_to_end(block)
        return self._blocks[block]

    def _read(self, block: Block) -> NDArray[Any]:
        """The chunk in full size, also where it reaches beyond the array."""
        leading = self._array.shape[:-2]
        sides = zip(block, self._side, strict=True)
        box = [(place * side, (place + 1) * side) for place, side in sides]
        return self._array.read([*((0, count) for count in leading), *box])


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
