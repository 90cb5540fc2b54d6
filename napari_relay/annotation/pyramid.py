"""A pyramid of class labels that can be written at full resolution."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import numpy as np
from psygnal import Signal

from napari_relay.annotation.chunk_cache import ChunkCache, LabelArray
from napari_relay.geometry import Window

COARSEST = 1024
"""The coarsest level is at most this many pixels a side."""


def level_shapes(height: int, width: int) -> tuple[tuple[int, int], ...]:
    """Shapes of the levels of an image of ``height`` × ``width`` pixels.

    Level 0 is padded until every level has exactly half the rows and columns
    of the one before: napari stretches a level that does not fit.
    """
    depth = max(math.ceil(math.log2(max(height, width) / COARSEST)), 0)
    rows, cols = -(-height // 2**depth), -(-width // 2**depth)
    return tuple((rows << k, cols << k) for k in range(depth, -1, -1))


def pool(labels: LabelArray) -> LabelArray:
    """Halve ``labels`` ``(row, col)``, both even: any class wins over 255.

    Of several classes in a 2 × 2 block the highest id wins, so the result
    depends on the labels alone, not on the order in which they were painted.
    """
    shifted = labels + np.uint8(1)  # 255 wraps to 0, the smallest
    rows = np.maximum(shifted[0::2], shifted[1::2])
    pooled: LabelArray = np.maximum(rows[:, 0::2], rows[:, 1::2]) - np.uint8(1)
    return pooled


class EditablePyramid:
    """Class labels at several resolutions; a write at level 0 reaches all of them.

    Levels are ``(row, col)`` uint8, class ids with 255 for "no class". Level
    ``k`` has ``2**k`` level-0 pixels a pixel, corner-aligned.

    Parameters
    ----------
    cache
        The arrays, finest first, shaped by :func:`level_shapes`.
    height, width
        Size of the image in level-0 pixels; level 0 may be larger (padding),
        and what is written there is dropped.
    """

    changed = Signal(Window)
    """Emitted after every write, in the thread that wrote, with the level-0 window."""

    def __init__(self, cache: ChunkCache, height: int, width: int) -> None:
        if cache.shapes != level_shapes(height, width):
            raise ValueError(f"levels {cache.shapes} do not fit {height} × {width} pixels")
        self.window = Window(0, 0, height, width)
        self.levels = tuple(LevelView(cache, k) for k in range(len(cache.shapes)))
        self._cache = cache
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self.levels)

    def __getitem__(self, level: int) -> LevelView:
        return self.levels[level]

    @property
    def factors(self) -> tuple[int, ...]:
        """Level-0 pixels a pixel of each level."""
        return tuple(2**k for k in range(len(self)))

    @property
    def dirty(self) -> bool:
        """Whether something is not on disk yet."""
        return self._cache.dirty

    def read(self, window: Window) -> LabelArray:
        """Level-0 labels ``(height, width)`` of any window, 255 outside the image."""
        out = np.full((window.height, window.width), 255, np.uint8)
        inside = window.intersection(self.window)
        out[_shifted(inside, window).slices] = self._cache.read(0, inside)
        return out

    def write(self, window: Window, labels: LabelArray) -> None:
        """Put ``labels`` ``(height, width)`` at level 0 and bring all levels up to date.

        What lies outside the image is dropped.
        """
        inside = window.intersection(self.window)
        if not inside.area:
            return
        with self._lock:
            self._cache.write(0, inside, labels[_shifted(inside, window).slices])
            self._propagate(inside)
        self.changed.emit(inside)

    def flush(self) -> int:
        """Write what is dirty to disk and count the chunks (see :meth:`ChunkCache.flush`)."""
        count = self._cache.flush()
        with self._lock:  # no stroke is half-way up the levels now
            self._cache.settle()
        return count

    def rebuild(self) -> None:
        """Compute the coarser levels, all empty, again from level 0."""
        with self._lock:
            for area in self._cache.known_chunks(0):
                self._propagate(area)

    def corrected_areas(self, level: int = 0) -> Iterator[Window]:
        """Areas of the chunks of a level that may be painted, in its pixels, in row-major order."""
        yield from self._cache.known_chunks(level)

    def _propagate(self, window: Window) -> None:
        for level in range(1, len(self)):
            window = _halved(window)
            pooled = pool(self._cache.read(level - 1, _doubled(window)))
            if np.array_equal(pooled, self._cache.read(level, window)):
                return  # then the coarser levels are right already
            self._cache.write(level, window, pooled)


class LevelView:
    """One level of an :class:`EditablePyramid` as a read-only 2-D array-like."""

    ndim = 2
    dtype = np.dtype(np.uint8)

    def __init__(self, cache: ChunkCache, level: int) -> None:
        self._cache = cache
        self._level = level
        self.shape = cache.shapes[level]
        self.chunks = cache.chunk_shapes[level]
        self.size = self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: object) -> LabelArray:
        """Index with integers and slices, as in numpy."""
        keys = key if isinstance(key, tuple) else (key,)
        if len(keys) > self.ndim:
            raise IndexError(f"a level has two axes, got the index {key}")
        spans = [_span(k, n) for k, n in zip(_filled(keys), self.shape, strict=True)]
        (y0, y1), (x0, x1) = ((s.start, max(s.stop, s.start)) for s in spans)
        block = self._cache.read(self._level, Window(y0, x0, y1 - y0, x1 - x0))
        rest: tuple[int | slice, ...] = tuple(
            slice(None, None, s.step) if isinstance(k, slice) else 0
            for s, k in zip(spans, _filled(keys), strict=True)
        )
        return block[rest]

    def __array__(
        self, dtype: np.dtype[np.generic] | None = None, copy: bool | None = None
    ) -> LabelArray:
        return self[:, :].astype(dtype or self.dtype, copy=False)


def _filled(keys: tuple[object, ...]) -> tuple[object, ...]:
    return keys + (slice(None),) * (2 - len(keys))


def _span(key: object, length: int) -> slice:
    if isinstance(key, slice):
        start, stop, step = key.indices(length)
        if step < 1:
            raise IndexError("a level cannot be read backwards")
        return slice(start, stop, step)
    if not isinstance(key, int | np.integer):
        raise IndexError(f"a level takes integers and slices, not {key!r}")
    start = int(key) + length if key < 0 else int(key)
    if not 0 <= start < length:
        raise IndexError(f"{key} is outside {length} pixels")
    return slice(start, start + 1, 1)


def _shifted(window: Window, frame: Window) -> Window:
    return window._replace(y0=window.y0 - frame.y0, x0=window.x0 - frame.x0)


def _halved(window: Window) -> Window:
    y0, x0 = window.y0 // 2, window.x0 // 2
    return Window(y0, x0, -(-window.y1 // 2) - y0, -(-window.x1 // 2) - x0)


def _doubled(window: Window) -> Window:
    return Window(*(2 * value for value in window))
