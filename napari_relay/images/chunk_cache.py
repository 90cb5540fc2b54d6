"""Decoded chunks of an image, kept while memory allows.

Neither Dask's cache (one for the process, fed by its schedulers alone) nor
cachey, cachetools or zict has what counts here: a bound in bytes, and two
threads that want the same chunk at once decoding it once.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

CACHE_BYTES = 128 * 2**20
"""Memory for the decoded chunks of an image, all levels together."""
LARGEST_SHARE = 4
"""A chunk larger than the memory divided by this is not kept."""

K = TypeVar("K", bound=Hashable)


Chunk = NDArray[np.generic] | None
"""``(y, x, band)``, or None where there are no pixels and never will be."""
Load = Callable[[Sequence[K]], Iterator[tuple[K, Chunk]]]
"""Decodes the chunks it is given, in any order."""


class ChunkCache(Generic[K]):
    """The chunks used last, bounded in bytes. Thread-safe.

    A chunk that two threads want at once is decoded once, by the first; chunks
    that differ are decoded in parallel, each in the thread that wants it.

    Parameters
    ----------
    max_bytes
        Bound on the pixels that are kept. Those being handed out come on top.
    """

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, NDArray[np.generic]] = OrderedDict()
        self._empty: set[K] = set()
        self._pending: dict[K, Future[Chunk]] = {}

    @property
    def cached_bytes(self) -> int:
        """Memory that the kept chunks take now."""
        return self._bytes

    def fetch(self, keys: Sequence[K], load: Load[K]) -> dict[K, Chunk]:
        """Chunks by key, decoded if need be; None for one without pixels.

        Parameters
        ----------
        keys
            Each once.
        load
            Decodes those of the chunks that nobody has or is decoding. What it
            raises is raised here, and not remembered.

        Returns
        -------
        dict
            The chunks themselves: copy them before writing to them.
        """
        found, awaited, claimed = self._claim(keys)
        if claimed:
            found.update(self._load(claimed, load))
        for key, future in awaited.items():
            try:
                found[key] = future.result()
            except CancelledError:  # the other thread failed; this one may fare better
                found.update(self.fetch([key], load))
        return found

    def _claim(self, keys: Sequence[K]) -> tuple[dict[K, Chunk], dict[K, Future[Chunk]], list[K]]:
        """What is there, what others are decoding, and what is now ours to decode."""
        found: dict[K, Chunk] = {}
        awaited: dict[K, Future[Chunk]] = {}
        claimed: list[K] = []
        with self._lock:
            for key in keys:
                kept = self._kept.get(key)
                if kept is not None:
                    self._kept.move_to_end(key)
                    found[key] = kept
                elif key in self._empty:
                    found[key] = None
                elif key in self._pending:
                    awaited[key] = self._pending[key]
                else:
                    self._pending[key] = Future()
                    claimed.append(key)
        return found, awaited, claimed

    def _load(self, claimed: list[K], load: Load[K]) -> dict[K, Chunk]:
        loaded = {}
        try:
            for key, chunk in load(claimed):
                loaded[key] = chunk
                self._settle(key, chunk)
        finally:
            self._give_up(key for key in claimed if key not in loaded)
        return loaded

    def _settle(self, key: K, chunk: Chunk) -> None:
        """Keep a chunk and hand it to those who wait for it."""
        with self._lock:
            self._keep(key, chunk)
            future = self._pending.pop(key)
        future.set_result(chunk)

    def _keep(self, key: K, pixels: Chunk) -> None:
        if pixels is None:
            self._empty.add(key)
        elif pixels.nbytes * LARGEST_SHARE <= self.max_bytes:
            self._kept[key] = pixels
            self._bytes += pixels.nbytes
            while self._bytes > self.max_bytes:
                self._bytes -= self._kept.popitem(last=False)[1].nbytes

    def _give_up(self, keys: Iterator[K]) -> None:
        with self._lock:
            futures = [self._pending.pop(key) for key in keys]
        for future in futures:
            future.cancel()
