"""Blending tiles and writing them to a store, behind the forward pass."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import Generic, NamedTuple, TypeVar

from napari_relay.geometry import Window
from napari_relay.inference.tile import PredictedTile
from napari_relay.inference.tile_sink import TileSink

_TILES_AT_ONCE = 64
_SECONDS_APART = 0.5
_JOBS_WAITING = 4

Ready = TypeVar("Ready")


class Written(NamedTuple):
    """A part of the image whose tiles are on disk."""

    window: Window
    """Level-0 pixels that hold the tiles."""
    tiles: int
    """How many."""


class WriteBehind(Generic[Ready]):
    """One thread that blends tiles and writes them to a store, in the order of asking.

    Tiles are gathered for half a second, up to 64 of them, and written together:
    neighbours share chunks, and a chunk is written as a whole.

    Parameters
    ----------
    store
        Where to.
    finish
        Blends a tile; called in the thread.
    """

    def __init__(self, store: TileSink, finish: Callable[[Ready], PredictedTile]) -> None:
        self._store, self._finish = store, finish
        self._gathered: list[PredictedTile] = []
        self._last = -math.inf
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relay-writer")
        self._waiting: deque[Future[list[Written]]] = deque()

    def put(self, tiles: Sequence[Ready]) -> None:
        """Blend and write tiles, at once or with those to come."""
        self._waiting.append(self._pool.submit(self._take, tiles))

    def skip(self, positions: Sequence[tuple[int, int]], window: Window) -> None:
        """Mark tiles, all in ``window``, as skipped."""
        self._waiting.append(self._pool.submit(self._skip, positions, window))

    def on_disk(self, at_most_waiting: int = _JOBS_WAITING) -> Iterator[Written]:
        """What is on disk now, each part once; waits until few enough jobs are left.

        With ``at_most_waiting=0`` all that was put is written.

        Raises
        ------
        UserError
            When it could not be written.
        """
        if not at_most_waiting or monotonic() > self._last + 2 * _SECONDS_APART:
            self._waiting.append(self._pool.submit(self._flush))
        while self._waiting and (len(self._waiting) > at_most_waiting or self._waiting[0].done()):
            yield from self._waiting.popleft().result()

    def close(self) -> None:
        """Write what was put."""
        self._pool.submit(self._flush)
        self._pool.shutdown(wait=True)
        self._waiting.clear()

    # --- in the thread

    def _take(self, tiles: Sequence[Ready]) -> list[Written]:
        self._gathered += map(self._finish, tiles)
        late = monotonic() > self._last + _SECONDS_APART
        return self._flush() if late or len(self._gathered) >= _TILES_AT_ONCE else []

    def _flush(self) -> list[Written]:
        tiles, self._gathered, self._last = self._gathered, [], monotonic()
        if tiles:
            self._store.write(tiles)
        return [Written(self._store.grid.tile(*tile.position), 1) for tile in tiles]

    def _skip(self, positions: Sequence[tuple[int, int]], window: Window) -> list[Written]:
        self._store.mark_skipped(positions)
        return [Written(window, len(positions))]
