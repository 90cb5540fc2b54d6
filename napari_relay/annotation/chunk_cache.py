"""A write-back cache over the chunks of several 2-D zarr arrays."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.annotation.chunk_files import ChunkFiles
from napari_relay.geometry import Window
from relay_tokens.errors import UserError

LabelArray = NDArray[np.uint8]
"""Class ids ``(row, col)``, 255 where nothing is known."""

UNFINISHED = "unfinished"
"""Name of the file that lies in the folder while its levels may disagree."""


class ChunkKey(NamedTuple):
    """Which chunk of which array."""

    level: int
    """Index of the array."""
    row: int
    """Chunk row."""
    col: int
    """Chunk column."""


class ChunkCache:
    """Chunks of uint8 arrays in one zarr group, read once and written back later.

    Writes stay in memory until :meth:`flush`, or until memory runs short.
    Thread-safe: no write is lost when a flush, an eviction and another write
    meet, because a chunk on its way to disk is never evicted, and one that
    changed meanwhile stays dirty.

    Parameters
    ----------
    folder
        The zarr group on a local disk.
    arrays
        2-D uint8 arrays in that group, with the default chunk keys.
    max_bytes
        Bound on the chunks in memory. It is only exceeded by chunks that the
        disk refuses to take.
    """

    def __init__(
        self, folder: Path, arrays: Sequence[zarr.Array[Any]], max_bytes: int = 128 << 20
    ) -> None:
        self.folder = folder
        self.shapes = tuple((int(a.shape[0]), int(a.shape[1])) for a in arrays)
        self.chunk_shapes = tuple((int(a.chunks[0]), int(a.chunks[1])) for a in arrays)
        self._files = tuple(map(ChunkFiles, arrays))
        self._fills = tuple(int(np.asarray(a.fill_value)) for a in arrays)
        self._max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.RLock()
        self._flushing = threading.Lock()
        self._chunks: OrderedDict[ChunkKey, LabelArray] = OrderedDict()
        self._dirty: dict[ChunkKey, int] = {}
        self._version = 0
        self._on_its_way: ChunkKey | None = None
        self._marked = self.marker.exists()
        self._stored = {
            ChunkKey(k, *place) for k, files in enumerate(self._files) for place in files.stored()
        }

    @property
    def marker(self) -> Path:
        """File that exists while what lies on disk may be half a change."""
        return self.folder / UNFINISHED

    @property
    def dirty(self) -> bool:
        """Whether a chunk in memory differs from the one on disk."""
        return bool(self._dirty)

    @property
    def cached_bytes(self) -> int:
        """Memory that the chunks take now."""
        return self._bytes

    def known_chunks(self, level: int) -> list[Window]:
        """Areas of the chunks that may hold something, in row-major order."""
        with self._lock:
            keys = {key for key in (*self._stored, *self._dirty) if key.level == level}
        return [self._area(key) for key in sorted(keys)]

    def read(self, level: int, window: Window) -> LabelArray:
        """Copy of a window that lies inside the array, ``(height, width)``.

        The lock is taken for one chunk at a time, so that painting never waits
        for a long read.
        """
        out = np.full((window.height, window.width), self._fills[level], np.uint8)
        for key, area in self._keys(level, window):
            with self._lock:
                chunk = self._peek(key)
                if chunk is not None:
                    out[_within(area, window)] = chunk[_within(area, self._area(key))]
        return out

    def write(self, level: int, window: Window, values: LabelArray) -> None:
        """Put ``values`` ``(height, width)`` into a window that lies inside the array."""
        with self._lock:
            for key, area in self._keys(level, window):
                chunk = self._load(key)
                chunk[_within(area, self._area(key))] = values[_within(area, window)]
                self._version += 1
                self._dirty[key] = self._version
            self._evict()

    def flush(self) -> int:
        """Write every dirty chunk to disk and count them.

        Raises
        ------
        UserError
            The disk is full or read-only. What was not written stays in memory
            and dirty: painting goes on and the next flush tries again.
        """
        with self._flushing:
            with self._lock:
                keys = list(self._dirty)
            try:
                return sum(self._write_back(key) for key in keys)
            except OSError as error:
                raise UserError(
                    f"The corrections cannot be saved in {self.folder} ({error.strerror or error});"
                    " free some space or make it writable: until then they are kept in memory."
                ) from error

    def settle(self) -> bool:
        """Remove the marker if nothing is dirty; call it while nobody can write."""
        with self._lock:
            if self._dirty:
                return False
            if self._marked:
                self.marker.unlink(missing_ok=True)
                self._marked = False
            return True

    def _write_back(self, key: ChunkKey) -> bool:
        with self._lock:
            version = self._dirty.get(key)
            if version is None:
                return False
            chunk = self._chunks[key].copy()
            self._on_its_way = key
        try:
            self._store(key, chunk)
            if key.level == 0:
                self._files[0].sync(key.row, key.col)
        finally:
            with self._lock:
                self._on_its_way = None
        with self._lock:
            if self._dirty.get(key) == version:
                del self._dirty[key]
        return True

    def _store(self, key: ChunkKey, chunk: LabelArray) -> None:
        if not self._marked:
            self.marker.touch()
            self._marked = True
        self._files[key.level].write(key.row, key.col, chunk)
        with self._lock:
            self._stored.add(key)

    def _peek(self, key: ChunkKey) -> LabelArray | None:
        """The chunk, or None where nothing was ever written: that costs no memory."""
        if key not in self._chunks and key not in self._stored:
            return None
        chunk = self._load(key)
        self._evict()
        return chunk

    def _load(self, key: ChunkKey) -> LabelArray:
        chunk = self._chunks.get(key)
        if chunk is not None:
            self._chunks.move_to_end(key)
            return chunk
        area = self._area(key)
        if key in self._stored:
            shape = (area.height, area.width)
            chunk = self._files[key.level].read(key.row, key.col, shape)
        else:
            chunk = np.full((area.height, area.width), self._fills[key.level], np.uint8)
        self._chunks[key] = chunk
        self._bytes += chunk.nbytes
        return chunk

    def _evict(self) -> None:
        if self._bytes <= self._max_bytes:
            return
        clean = [key for key in self._chunks if key not in self._dirty]
        for key in (*clean, *self._dirty):
            if self._bytes <= self._max_bytes or not self._drop(key):
                return

    def _drop(self, key: ChunkKey) -> bool:
        """Forget a chunk; a dirty one goes to disk first. False: the disk refuses it."""
        if key == self._on_its_way:
            return True
        if key in self._dirty:
            try:
                self._store(key, self._chunks[key])
            except OSError:
                return False
            del self._dirty[key]
        self._bytes -= self._chunks.pop(key).nbytes
        return True

    def _area(self, key: ChunkKey) -> Window:
        height, width = self.chunk_shapes[key.level]
        whole = Window(key.row * height, key.col * width, height, width)
        return whole.intersection(Window(0, 0, *self.shapes[key.level]))

    def _keys(self, level: int, window: Window) -> Iterator[tuple[ChunkKey, Window]]:
        """Chunks that meet the window, each with the shared area."""
        if not window.area:
            return
        height, width = self.chunk_shapes[level]
        for row in range(window.y0 // height, (window.y1 - 1) // height + 1):
            for col in range(window.x0 // width, (window.x1 - 1) // width + 1):
                key = ChunkKey(level, row, col)
                yield key, self._area(key).intersection(window)


def _within(area: Window, frame: Window) -> tuple[slice, slice]:
    """Index of ``area`` in an array that holds ``frame``."""
    return area._replace(y0=area.y0 - frame.y0, x0=area.x0 - frame.x0).slices
