"""Writing to a store behind the forward pass."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from time import monotonic
from typing import NamedTuple

from napari_relay.geometry import Window
from napari_relay.inference.tile import PredictedTile
from napari_relay.inference.tile_sink import TileSink

_TILES_AT_ONCE = 64
_SECONDS_APART = 0.5


class Written(NamedTuple):
    """A part of the image whose tiles are on disk."""

    window: Window
    """Level-0 pixels that hold the tiles."""
    tiles: int
    """How many."""


class WriteBehind:
    """One thread that writes to a store, in the order of asking.

    Tiles are gathered for half a second, up to 64 of them, and written together:
    neighbours share chunks, and a chunk is written as a whole.
    """

    def __init__(self, store: TileSink) -> None:
        self._store = store
        self._gathered: list[PredictedTile] = []
        self._last = -math.inf
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="relay-writer")
        self._waiting: deque[tuple[Future[None], list[Written]]] = deque()

    def put(self, tiles: Sequence[PredictedTile]) -> None:
        """Write tiles, at once or with those to come."""
        self._gathered += tiles
        if self._is_due:
            self._submit_gathered()

    @property
    def _is_due(self) -> bool:
        late = monotonic() > self._last + _SECONDS_APART
        return late or len(self._gathered) >= _TILES_AT_ONCE

    def _submit_gathered(self) -> None:
        if self._gathered:
            tiles, self._gathered, self._last = self._gathered, [], monotonic()
            parts = [Written(self._store.grid.tile(*tile.position), 1) for tile in tiles]
            self._waiting.append((self._pool.submit(self._store.write, tiles), parts))

    def skip(self, positions: Sequence[tuple[int, int]], window: Window) -> None:
        """Mark tiles, all in ``window``, as skipped."""
        written = self._pool.submit(self._store.mark_skipped, positions)
        self._waiting.append((written, [Written(window, len(positions))]))

    def on_disk(self, at_most_waiting: int = 1) -> Iterator[Written]:
        """What is on disk now, each part once; waits until few enough jobs are left.

        With ``at_most_waiting=0`` all that was put is written.

        Raises
        ------
        UserError
            When it could not be written.
        """
        if self._is_due or not at_most_waiting:
            self._submit_gathered()
        while self._waiting and (
            len(self._waiting) > at_most_waiting or self._waiting[0][0].done()
        ):
            written, parts = self._waiting.popleft()
            written.result()
            yield from parts

    def close(self) -> None:
        """Write what was put."""
        self._submit_gathered()
        self._pool.shutdown(wait=True)
        self._waiting.clear()
