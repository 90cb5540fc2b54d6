"""Undo and redo of painting, in bounded memory."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.annotation.chunk_cache import LabelArray
from napari_relay.annotation.pyramid import EditablePyramid
from napari_relay.geometry import Window


@dataclass(frozen=True)
class Edit:
    """Some pixels of a window that got one label, and what they were before."""

    window: Window
    """Smallest rectangle with all the pixels; level-0 pixels."""
    mask: bytes
    """Which pixels of the window, one bit each, row-major, deflated."""
    before: int | bytes
    """Their labels before, in row-major order, deflated; one number if all alike."""
    after: int
    """Their label now; 255 where the eraser went."""

    @classmethod
    def record(
        cls, window: Window, mask: NDArray[np.bool_], labels: LabelArray, after: int
    ) -> Edit:
        """Note that ``after`` replaces ``labels`` ``(height, width)`` where ``mask`` is true."""
        old = labels[mask]
        alike = bool((old == old[0]).all())
        before = int(old[0]) if alike else zlib.compress(old.tobytes(), 1)
        return cls(window, zlib.compress(np.packbits(mask).tobytes(), 1), before, after)

    @property
    def nbytes(self) -> int:
        """Memory that the edit takes, roughly."""
        return 300 + len(self.mask) + (len(self.before) if isinstance(self.before, bytes) else 0)

    def undo(self, pyramid: EditablePyramid) -> None:
        """Put back what was there before."""
        before = self.before
        old = before if isinstance(before, int) else np.frombuffer(zlib.decompress(before), "u1")
        self._put(pyramid, old)

    def redo(self, pyramid: EditablePyramid) -> None:
        """Make the change again."""
        self._put(pyramid, self.after)

    def _put(self, pyramid: EditablePyramid, labels: int | LabelArray) -> None:
        bits = np.frombuffer(zlib.decompress(self.mask), np.uint8)
        mask = np.unpackbits(bits, count=self.window.area).astype(bool)
        region = pyramid.read(self.window)
        region[mask.reshape(region.shape)] = labels
        pyramid.write(self.window, region)


class History(deque[list[Edit]]):
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
        return sum(_nbytes(step) for step in self)

    def append(self, step: list[Edit]) -> None:
        """Add a step and drop the oldest ones until the rest fits."""
        super().append(step)
        total = self.nbytes
        while total > self.max_bytes and len(self) > 1:
            total -= _nbytes(self.popleft())


def _nbytes(step: Sequence[Edit]) -> int:
    return sum(edit.nbytes for edit in step)
