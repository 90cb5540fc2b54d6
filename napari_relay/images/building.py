"""Building levels block by block, in parallel."""

from __future__ import annotations

import contextlib
import math
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.cache_room import keep_within_bound, lock_path, room_on_disk
from napari_relay.images.cached_level import CachedImage, CachedLevel
from napari_relay.images.chunk_cache import ChunkCache
from napari_relay.images.damage import vanished
from napari_relay.images.halving import halve
from napari_relay.images.level_folder import (
    BESIDE_SUFFIX,
    CachePlace,
    LevelFolder,
    OpenLevels,
    level_folder,
)
from napari_relay.images.level_metadata import chunk_files
from napari_relay.images.levels_plan import CHUNK_SIDE, Block, BuiltLevel, exact_levels
from napari_relay.images.pixel_array import ChunkedArray, PixelArray
from napari_relay.images.source import ImageSource
from relay_tokens import UserError

CACHE_BYTES = 32 * 2**20
"""Memory for chunks of the file that two blocks share."""
POLL_SECONDS = 0.3
"""How often a process looks what another one has built."""
NOTHING = Window(0, 0, 0, 0)
"""What is yielded while there is nothing new."""


class Build:
    """Levels of an image that are being built; a :class:`LevelBuild`.

    Each block of the file is decoded once and gives all levels there. Blocks
    are decoded, halved and compressed in threads.

    Parameters
    ----------
    source
        The file.
    folder
        Where the levels are.
    levels
        The levels, open.
    level_numbers
        Index in the whole image of the levels of the file, by factor.
    """

    def __init__(
        self,
        source: ImageSource,
        folder: LevelFolder,
        levels: OpenLevels,
        level_numbers: dict[int, int],
    ) -> None:
        self._source, self._folder, self._levels = source, folder, levels
        self._record = levels.record
        self._roots = self._cached_roots(level_numbers)
        self._shared = {factor: threading.Lock() for factor in levels.arrays}

    def _cached_roots(self, numbers: dict[int, int]) -> dict[int, PixelArray]:
        """The levels that others are built from."""
        path, cache = self._source.path, ChunkCache[tuple[int, int, int]](CACHE_BYTES)
        image = CachedImage(path, path.is_dir(), self._source.nodata, cache, self._source.damage)
        levels = exact_levels(self._source)
        return {
            factor: CachedLevel(array, numbers.get(factor, 0), factor, image)
            if isinstance(array, ChunkedArray)
            else array
            for factor, array in levels.items()
        }

    @property
    def is_complete(self) -> bool:
        """Whether all is there."""
        return self._record.is_complete

    @property
    def done(self) -> int:
        """How many blocks are built."""
        return self._record.done

    @property
    def total(self) -> int:
        """How many blocks there are."""
        return self._record.total

    def run(self, spare_cores: int = 0) -> Iterator[Window]:
        """Build what is missing; see :meth:`LevelBuild.run`."""
        with room_on_disk(self._folder.path.parent, self._source.path, self._bytes_to_write()):
            lock = FileLock(lock_path(self._folder.path), thread_local=False)
            yield from self._watch_other(lock)
            try:
                if not self.is_complete:
                    yield from self._build(spare_cores)
                    self._finish()
            finally:
                lock.release()

    def _watch_other(self, lock: FileLock) -> Iterator[Window]:
        """Follow what another process builds until the lock is ours or all is built."""
        while not self.is_complete:
            with contextlib.suppress(Timeout):
                lock.acquire(blocking=False)
            for block in self._record.refresh():
                yield self._window(block)
            if lock.is_locked:
                return
            time.sleep(POLL_SECONDS)
            yield NOTHING

    def _build(self, spare_cores: int) -> Iterator[Window]:
        arrays = self._arrays()
        _remove_partial_files(self._folder.path)
        blocks = iter(self._record.remaining())
        threads = max((os.cpu_count() or 1) - spare_cores, 1)
        with _pool(threads) as pool:
            pending: dict[Future[None], Block] = {}
            while True:
                for block in blocks:
                    pending[pool.submit(self._build_block, arrays, block)] = block
                    if len(pending) > threads:
                        break
                if not pending:
                    return
                for future in wait(pending, return_when=FIRST_COMPLETED).done:
                    future.result()
                    yield self._window(pending.pop(future))

    def _build_block(self, arrays: dict[int, zarr.Array[Any]], block: Block) -> None:
        """All levels of a block, and the note that they are on disk."""
        chain = self._record.chains[block.chain]
        rows, cols = chain.area(block)
        pixels, factor = self._roots[chain.root][rows, cols, slice(None)], chain.root
        for level in chain.levels:
            if level.factor > factor:
                pixels, factor = halve(pixels, self._source.nodata), level.factor
            self._write(arrays[factor], level, chain.area_at(block, level), pixels)
        self._record.finish(block, self._source.damage.chunks)

    def _write(
        self,
        array: zarr.Array[Any],
        level: BuiltLevel,
        area: tuple[slice, slice],
        pixels: NDArray[np.generic],
    ) -> None:
        with self._alone(level, area):
            array[(slice(None), *area)] = np.moveaxis(pixels, 2, 0)
            for path in chunk_files(self._folder.path, level.factor, area):
                _flush(path)

    def _alone(
        self, level: BuiltLevel, area: tuple[slice, slice]
    ) -> contextlib.AbstractContextManager[object]:
        """Keep other threads out where the area shares chunks with other blocks."""
        whole = all(
            part.start % CHUNK_SIDE == 0 and (part.stop % CHUNK_SIDE == 0 or part.stop == size)
            for part, size in zip(area, level.shape[:2], strict=True)
        )
        return contextlib.nullcontext() if whole else self._shared[level.factor]

    def _finish(self) -> None:
        """Take down that all is built, if the file is still the one that was opened."""
        self._check_unchanged()
        self._record.close()
        lock_path(self._folder.path).unlink(missing_ok=True)
        if not self._is_beside:
            keep_within_bound(self._folder.path.parent)

    def _check_unchanged(self) -> None:
        place: CachePlace = "beside" if self._is_beside else "user"
        try:
            present = level_folder(self._source.path, place)
        except FileNotFoundError as error:
            raise vanished(self._source.path) from error
        if present != self._folder:
            raise UserError(
                f"{self._source.path} changed while its smaller levels were built; open it again."
            )

    @property
    def _is_beside(self) -> bool:
        return self._folder.path.name.endswith(BESIDE_SUFFIX)

    def _arrays(self) -> dict[int, zarr.Array[Any]]:
        """The levels, to be written."""
        group = zarr.open_group(self._folder.path, mode="r+")
        found = {factor: group[str(factor)] for factor in self._levels.arrays}
        return {factor: a for factor, a in found.items() if isinstance(a, zarr.Array)}

    def _bytes_to_write(self) -> int:
        item = self._source.arrays[0].dtype.itemsize
        pixels = sum(math.prod(array.shape) for array in self._levels.arrays.values())
        left = 1 - self.done / self.total
        return round(pixels * item * left)

    def _window(self, block: Block) -> Window:
        """Level-0 pixels of a block."""
        rows, cols, _ = self._source.arrays[0].shape
        window = self._record.chains[block.chain].window(block)
        return window.intersection(Window(0, 0, rows, cols))


@contextmanager
def _pool(threads: int) -> Iterator[ThreadPoolExecutor]:
    """A pool that begins nothing new once its user is gone."""
    pool = ThreadPoolExecutor(threads, thread_name_prefix="levels")
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _flush(path: Path) -> None:
    """Have a file on disk; a chunk that is blank has none."""
    with contextlib.suppress(FileNotFoundError):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove_partial_files(folder: Path) -> None:
    """Delete what zarr was writing when a process was killed."""
    for path in folder.rglob("*.partial"):
        path.unlink(missing_ok=True)
