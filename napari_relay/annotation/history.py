"""Undo and redo of painting, in bounded memory."""

from __future__ import annotations

import zlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.annotation.chunk_cache import LabelArray
from napari_relay.annotation.pyramid import EditablePyramid
from napari_relay.geometry import Window, union

_CLUSTER = 1 << 20
"""Pixels up to which edits are replayed at once, also where much lies between them."""


@dataclass(frozen=True)
class Edit:
    """Some pixels of a window that got other values, and what they were before."""

    window: Window
    """Smallest rectangle with all the pixels; level-0 pixels."""
    mask: bytes
    """Which pixels of the window, one bit each, row-major, deflated; empty: all."""
    before: int | bytes
    """Their values before, in row-major order, deflated; one number if all alike."""
    after: int | bytes
    """Their values now, as :attr:`before`; 255 where the eraser went."""
    counts: tuple[tuple[int, int], ...] = ()
    """How many pixels got each value, ``(value, pixels)``."""

    @classmethod
    def record(
        cls,
        window: Window,
        mask: NDArray[np.bool_],
        labels: LabelArray,
        after: int | LabelArray,
    ) -> Edit:
        """Note what replaces ``labels`` ``(height, width)`` where ``mask`` is true.

        ``after`` is one value, or as many as pixels that change, in row-major
        order; at least one changes.
        """
        inner = _box(mask)
        window = Window(window.y0 + inner.y0, window.x0 + inner.x0, inner.height, inner.width)
        mask, labels = mask[inner.slices], labels[inner.slices]
        old = labels[mask]
        whole = old.size == mask.size
        bits = b"" if whole else zlib.compress(np.packbits(mask).tobytes(), 1)
        return cls(window, bits, _packed(old), _packed(after), _counts(after, old.size))

    @property
    def nbytes(self) -> int:
        """Memory that the edit takes, roughly."""
        values = (v for v in (self.before, self.after) if isinstance(v, bytes))
        return 300 + len(self.mask) + sum(map(len, values))

    def put(self, region: LabelArray, *, undoing: bool) -> None:
        """Change the pixels in ``region``, which is the window's part of something larger."""
        packed = self.before if undoing else self.after
        values = packed if isinstance(packed, int) else np.frombuffer(zlib.decompress(packed), "u1")
        if not self.mask:
            region[...] = np.reshape(values, () if isinstance(values, int) else region.shape)
            return
        bits = np.frombuffer(zlib.decompress(self.mask), np.uint8)
        mask = np.unpackbits(bits, count=self.window.area).astype(bool)
        region[mask.reshape(region.shape)] = values


class Step(list[Edit]):
    """Edits that are undone together, in the order in which they were made.

    Parameters
    ----------
    edits
        What it begins with.
    tool
        What made them, e.g. ``"brush"``.
    """

    def __init__(self, edits: Iterable[Edit] = (), tool: str = "") -> None:
        super().__init__(edits)
        self.tool = tool
        self.entry: int | None = None
        """Its number in the log of corrections, once it has one."""

    @property
    def window(self) -> Window:
        """The smallest window around all edits; there is at least one."""
        return union(*(edit.window for edit in self))

    @property
    def area(self) -> int:
        """Pixels of the windows of all edits: what undoing reads and writes."""
        return sum(edit.window.area for edit in self)

    def replay(self, pyramid: EditablePyramid, *, undoing: bool) -> Iterator[Window]:
        """Undo or redo the edits, and yield the window of each part that is done.

        What lies close together is read and written at once: a stroke's edits
        overlap a great deal.
        """
        ordered = list(reversed(self)) if undoing else list(self)
        while ordered:
            count, window = _leading_cluster(ordered)
            region = pyramid.read(window)
            for edit in ordered[:count]:
                part = edit.window
                moved = part._replace(y0=part.y0 - window.y0, x0=part.x0 - window.x0)
                edit.put(region[moved.slices], undoing=undoing)
            pyramid.write(window, region)
            yield window
            del ordered[:count]

    @property
    def nbytes(self) -> int:
        """Memory that the step takes, roughly."""
        return sum(edit.nbytes for edit in self)

    @property
    def counts(self) -> dict[int, int]:
        """How many pixels got each value."""
        total: Counter[int] = Counter()
        for edit in self:
            total.update(dict(edit.counts))
        return dict(total)


class History(deque[Step]):
    """Steps that can be undone, the newest last; the oldest go when they take too much.

    The newest step always stays, whatever it takes.

    Parameters
    ----------
    max_steps
        At most this many steps.
    max_bytes
        At most this much memory.
    """

    def __init__(self, max_steps: int = 100, max_bytes: int = 64 << 20) -> None:
        super().__init__(maxlen=max_steps)
        self.max_bytes = max_bytes

    @property
    def nbytes(self) -> int:
        """Memory that all steps take, roughly."""
        return sum(step.nbytes for step in self)

    def append(self, step: Step) -> None:
        """Add a step and drop the oldest ones until the rest fits."""
        super().append(step)
        total = self.nbytes
        while total > self.max_bytes and len(self) > 1:
            total -= self.popleft().nbytes


def _leading_cluster(edits: Sequence[Edit]) -> tuple[int, Window]:
    """How many of the first edits are best made at once, and the window around them."""
    window, area, count = edits[0].window, 0, 0
    for edit in edits:
        wider, area = union(window, edit.window), area + edit.window.area
        if count and wider.area > max(area, _CLUSTER):
            break
        window, count = wider, count + 1
    return count, window


def _box(mask: NDArray[np.bool_]) -> Window:
    """The smallest window around all that is set."""
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    y0, x0 = int(rows[0]), int(cols[0])
    return Window(y0, x0, int(rows[-1]) + 1 - y0, int(cols[-1]) + 1 - x0)


def _packed(values: int | LabelArray) -> int | bytes:
    if isinstance(values, int):
        return values
    alike = bool((values == values[0]).all())
    return int(values[0]) if alike else zlib.compress(values.tobytes(), 1)


def _counts(after: int | LabelArray, size: int) -> tuple[tuple[int, int], ...]:
    if isinstance(after, int):
        return ((after, size),)
    counts = np.bincount(after, minlength=256)
    return tuple((int(value), int(counts[value])) for value in np.flatnonzero(counts))
