"""A level that is read through a cache, in whole chunks of the file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.chunk_cache import Chunk, ChunkCache
from napari_relay.images.damage import Damage, DamagedChunk, raise_unless_damage, vanished
from napari_relay.images.pixel_array import ChunkedArray, GrowingArray, PixelArray
from relay_tokens import UserError

ChunkKey = tuple[int, int, int]
"""Level, chunk row, chunk column."""

TINY_BYTES = 2**20
"""Size up to which small chunks of a file are decoded and kept together."""
TINY_SIDE = 256
"""Side up to which small chunks of a file are decoded and kept together."""
BATCH_BYTES = 16 * 2**20
"""Pixels up to which neighbouring chunks are asked of a reader at once."""
HOPELESS = 16
"""Damaged chunks without a whole one after which others, all over the level, are tried."""


@dataclass(frozen=True)
class CachedImage:
    """What the cached levels of an image share."""

    path: Path
    """The file or folder."""
    is_folder: bool
    """Whether the pixels lie in many files below :attr:`path`."""
    nodata: float | None
    """Value of a pixel without data."""
    cache: ChunkCache[ChunkKey]
    """Decoded chunks."""
    damage: Damage
    """Chunks that could not be decoded."""


class CachedLevel:
    """One level of a file, ``(y, x, band)``; a damaged chunk has no data.

    A damaged chunk reads as the image's nodata value, else NaN, else 0 for
    integers, and :meth:`read` tells which pixels these are. It is not decoded
    again.

    Parameters
    ----------
    array
        What decodes; read in whole chunks, neighbouring ones at once.
    level
        Index of the level.
    factor
        Level-0 pixels a pixel.
    image
        Shared by all levels of the image.
    is_computed
        Whether a chunk costs what its pixels cost, as one that is worked out and not
        decoded: then small ones stay small, and whoever waits for one waits for no other.
    """

    def __init__(
        self,
        array: ChunkedArray,
        level: int,
        factor: float,
        image: CachedImage,
        is_computed: bool = False,
    ) -> None:
        self.array = array
        self.shape = array.shape
        self.dtype = array.dtype
        joined = cached_chunk(array.shape, array.chunk, array.dtype.itemsize)
        self.chunk = array.chunk if is_computed else joined
        self._batch_bytes = 0 if is_computed else BATCH_BYTES
        self._level, self._factor, self._image = level, factor, image
        self._fill = no_data_value(image.nodata, array.dtype)
        # Asked once: looking for a protocol's methods takes longer than a small read.
        self._growing = array if isinstance(array, GrowingArray) else None

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices with step 1."""
        return self.read(key[0], key[1])[0][..., key[2]]

    def read(
        self, rows: slice, cols: slice
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Pixels of two slices, and which of them could be read.

        Returns
        -------
        tuple
            ``(rows, cols, band)``, and ``(rows, cols)`` or None for all.

        Raises
        ------
        UserError
            When the file vanished, or when nothing of it can be decoded.
        """
        y0, y1, _ = rows.indices(self.shape[0])
        x0, x1, _ = cols.indices(self.shape[1])
        growing = self._growing
        if growing is None:
            return self._read(y0, y1, x0, x1)
        built = self._built(growing, y0, y1, x0, x1)
        if built is None:
            pixels, readable = self._read(y0, y1, x0, x1)
        else:  # asked first and not kept: what is blank now may soon be there
            pixels, readable = self.array[y0:y1, x0:x1, :], built
        lost = growing.lost(slice(y0, y1), slice(x0, x1))
        if lost is not None:
            readable = ~lost if readable is None else readable & ~lost
        return pixels, readable

    def _built(
        self, array: GrowingArray, y0: int, y1: int, x0: int, x1: int
    ) -> NDArray[np.bool_] | None:
        """Which pixels are there; None if all are, in whole chunks."""
        keys = self._keys((y0, y1), (x0, x1))
        if not keys:
            return None
        rows, cols = self._area(keys[0], keys[-1])
        built = array.built(rows, cols)
        if built is None:
            return None
        top, left = y0 - rows.start, x0 - cols.start
        return built[top : top + y1 - y0, left : left + x1 - x0]

    def _read(
        self, y0: int, y1: int, x0: int, x1: int
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Pixels by way of the cache, and which of them could be read."""
        keys = self._keys((y0, y1), (x0, x1))
        chunks = self._image.cache.fetch(keys, self._decode)
        pixels = np.empty((max(y1 - y0, 0), max(x1 - x0, 0), self.shape[2]), self.dtype)
        readable = None
        for key in keys:
            (ys, own_ys), (xs, own_xs) = self._overlap(key, y0, y1, x0, x1)
            chunk = chunks[key]
            if chunk is not None:
                pixels[ys, xs] = chunk[own_ys, own_xs]
                continue
            readable = np.ones(pixels.shape[:2], bool) if readable is None else readable
            pixels[ys, xs], readable[ys, xs] = self._fill, False
        return pixels, readable

    def _keys(self, rows: tuple[int, int], cols: tuple[int, int]) -> list[ChunkKey]:
        """Chunks that two ranges of pixels touch."""
        down, across = (
            range(start // side, math.ceil(stop / side)) if stop > start else range(0)
            for (start, stop), side in zip((rows, cols), self.chunk, strict=True)
        )
        return [(self._level, i, j) for i in down for j in across]

    def _overlap(
        self, key: ChunkKey, y0: int, y1: int, x0: int, x1: int
    ) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
        """Along each axis: the chunk's part in the window, and in the chunk itself."""
        top, left = key[1] * self.chunk[0], key[2] * self.chunk[1]
        return _shared(top, self.chunk[0], y0, y1), _shared(left, self.chunk[1], x0, x1)

    def _decode(self, keys: Sequence[ChunkKey]) -> Iterator[tuple[ChunkKey, Chunk]]:
        """Decode chunks, neighbouring ones at once: a call of a reader costs as much as a chunk."""
        size = math.prod(self.chunk) * self.shape[2] * self.dtype.itemsize
        for batch in _rectangles(keys, max(self._batch_bytes // size, 1)):
            try:
                yield from self._decode_batch(batch)
            except (UserError, OSError) as error:
                if len(batch) == 1:
                    self._take_note(batch[0], error)
                    yield batch[0], None
                    continue
                for key in batch:
                    yield from self._decode([key])

    def _decode_batch(self, batch: list[ChunkKey]) -> list[tuple[ChunkKey, Chunk]]:
        """Decode chunks that form a rectangle, row by row."""
        rows, cols = self._area(batch[0], batch[-1])
        block = self.array[rows, cols, slice(None)]
        # A folder's missing chunks read as empty ones, be they never written or deleted.
        if self._image.is_folder and not self._image.path.exists():
            raise vanished(self._image.path)
        self._image.damage.only_damage = False
        return [(key, self._part(block, key, batch[0])) for key in batch]

    def _area(self, first: ChunkKey, last: ChunkKey) -> tuple[slice, slice]:
        """Pixels from the start of one chunk to the end of another."""
        rows, cols = (
            slice(first[axis + 1] * side, min((last[axis + 1] + 1) * side, self.shape[axis]))
            for axis, side in enumerate(self.chunk)
        )
        return rows, cols

    def _part(
        self, block: NDArray[np.generic], key: ChunkKey, first: ChunkKey
    ) -> NDArray[np.generic]:
        """A chunk of a block; a copy, so that the block can go before the chunk does."""
        y, x = ((key[k + 1] - first[k + 1]) * self.chunk[k] for k in (0, 1))
        part = block[y : y + self.chunk[0], x : x + self.chunk[1]]
        return block if part.shape == block.shape else part.copy()

    def _take_note(self, key: ChunkKey, error: Exception) -> None:
        """Count a damaged chunk, and go on unless there is nothing but damage."""
        raise_unless_damage(error, self._image.path)
        sentence = str(error) if isinstance(error, UserError) else _damaged(self._image.path)
        if self._is_hopeless():
            raise UserError(sentence) from error
        window = _level0_window(*self._area(key, key), self._factor)
        self._image.damage.add(DamagedChunk(self._level, window, sentence))

    def _is_hopeless(self) -> bool:
        """Whether it is time to give up: many chunks were tried, none could be decoded."""
        damage, (rows, cols) = self._image.damage, self._grid
        if not damage.only_damage or damage.count + 1 < min(rows * cols, HOPELESS):
            return False
        probes = {(i * (rows - 1) // 2, j * (cols - 1) // 2) for i in range(3) for j in range(3)}
        return not any(self._decodes((self._level, *probe)) for probe in sorted(probes))

    def _decodes(self, key: ChunkKey) -> bool:
        try:
            self._decode_batch([key])
        except (UserError, OSError):
            return False
        return True

    @property
    def _grid(self) -> tuple[int, int]:
        """Rows and columns of chunks."""
        rows, cols = (math.ceil(self.shape[k] / self.chunk[k]) for k in (0, 1))
        return rows, cols


def cached_levels(
    arrays: Sequence[PixelArray],
    factors: Sequence[float],
    image: CachedImage,
    is_computed: bool = False,
) -> tuple[PixelArray, ...]:
    """Levels behind one cache, as :class:`CachedLevel` says; those in memory as they are."""
    return tuple(
        CachedLevel(array, level, factor, image, is_computed)
        if isinstance(array, ChunkedArray)
        else array
        for level, (array, factor) in enumerate(zip(arrays, factors, strict=True))
    )


def cached_chunk(
    shape: tuple[int, int, int], native: tuple[int, int], itemsize: int
) -> tuple[int, int]:
    """Rows and columns that are decoded and kept together: chunks of the file, tiny ones joined."""
    rows, cols = (
        min(side * max(TINY_SIDE // side, 1), math.ceil(size / side) * side)
        for side, size in zip(native, shape, strict=False)
    )
    fitting = max(TINY_BYTES // (cols * shape[2] * itemsize), 1)
    return min(rows, max(fitting // native[0], 1) * native[0]), cols


def _rectangles(keys: Sequence[ChunkKey], most: int) -> Iterator[list[ChunkKey]]:
    """Chunks of one level in rectangles of at most ``most``, each row by row."""
    batch: list[ChunkKey] = []
    for run in _runs(keys, most):
        if batch and not (_is_below(run, batch) and len(batch) + len(run) <= most):
            yield batch
            batch = []
        batch = batch + run
    if batch:
        yield batch


def _is_below(run: list[ChunkKey], batch: list[ChunkKey]) -> bool:
    """Whether chunks side by side prolong a rectangle by a row."""
    (level, row, last), first = run[-1], run[0][2]
    return batch[0][2] == first and batch[-1] == (level, row - 1, last)


def _runs(keys: Sequence[ChunkKey], most: int) -> Iterator[list[ChunkKey]]:
    """Chunks side by side, at most ``most``, from top to bottom."""
    for _, side_by_side in groupby(
        enumerate(sorted(keys)), lambda item: (item[1][1], item[1][2] - item[0])
    ):
        run = [key for _, key in side_by_side]
        yield from (run[k : k + most] for k in range(0, len(run), most))


def _shared(start: int, side: int, low: int, high: int) -> tuple[slice, slice]:
    """What a chunk and a window share along one axis, counted from the window and the chunk."""
    first, last = max(start, low), min(start + side, high)
    return slice(first - low, last - low), slice(first - start, last - start)


def _level0_window(rows: slice, cols: slice, factor: float) -> Window:
    y0, y1, x0, x1 = (
        round(edge * factor) for edge in (rows.start, rows.stop, cols.start, cols.stop)
    )
    return Window(y0, x0, y1 - y0, x1 - x0)


def no_data_value(nodata: float | None, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Value of a pixel that could not be read."""
    empty = np.nan if dtype.kind == "f" else 0
    return np.array(empty if nodata is None else nodata).astype(dtype)


def _damaged(path: Path) -> str:
    return f"{path} is damaged; copy it again or export it anew."
