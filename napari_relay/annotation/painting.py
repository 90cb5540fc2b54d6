"""Painting areas of any size, part by part."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_relay.annotation.chunk_cache import LabelArray
from napari_relay.annotation.history import Edit, Step
from napari_relay.annotation.pyramid import EditablePyramid
from napari_relay.geometry import Window

BLOCK = 1024
"""Side of a part, level-0 pixels: whole chunks."""


class Patch(NamedTuple):
    """What is to be painted in a window."""

    mask: NDArray[np.bool_] | None
    """``(height, width)``: which pixels; None: all."""
    labels: LabelArray | int
    """``(height, width)`` values, or one for all."""


class Painting(Protocol):
    """Something to be painted, of any size, worked out where it is asked for."""

    @property
    def window(self) -> Window:
        """The smallest window around it, level-0 pixels; may reach beyond the image."""
        ...

    def patch(self, window: Window) -> Patch | None:
        """What to paint in a window of at most :data:`BLOCK` a side; None: nothing."""
        ...


class PaintProgress(NamedTuple):
    """A part that was painted, or undone."""

    window: Window
    """Level-0 pixels that may have changed."""
    done: int
    """Parts done."""
    total: int
    """Parts in all; 0: not known."""


def paint(
    pyramid: EditablePyramid, painting: Painting, step: Step, over: int | None = None
) -> Generator[PaintProgress, None, None]:
    """Paint part by part, in bounded memory.

    For a worker thread. If it is closed before its end, all is as it was.

    Parameters
    ----------
    pyramid
        What is painted in.
    painting
        What is painted.
    step
        Gets what changed, to be undone at once.
    over
        Only pixels with this value are painted; None: all.
    """
    blocks = list(_blocks(painting.window.intersection(pyramid.window)))
    complete = False
    try:
        for done, block in enumerate(blocks, 1):
            edit = _paint_block(pyramid, painting, block, over)
            if edit is not None:
                step.append(edit)
            yield PaintProgress(block, done, len(blocks))
        complete = True
    finally:
        if not complete:
            for _ in step.replay(pyramid, undoing=True):
                pass
            step.clear()


class WindowPainting(NamedTuple):
    """All of a window with one value."""

    window: Window
    """What is painted, level-0 pixels."""
    label: int
    """What it is painted with."""

    def patch(self, window: Window) -> Patch | None:
        """What to paint in a window."""
        inside = window.intersection(self.window)
        if inside == window:
            return Patch(None, self.label)
        mask = np.zeros((window.height, window.width), np.bool_)
        mask[inside._replace(y0=inside.y0 - window.y0, x0=inside.x0 - window.x0).slices] = True
        return Patch(mask, self.label) if inside.area else None


class MaskPainting(NamedTuple):
    """Pixels that were found in memory, with one value."""

    window: Window
    """Where the mask lies, level-0 pixels."""
    mask: NDArray[np.bool_]
    """``(height, width)``: which pixels."""
    label: int
    """What they are painted with."""

    def patch(self, window: Window) -> Patch | None:
        """What to paint in a window that lies inside the mask's."""
        moved = window._replace(y0=window.y0 - self.window.y0, x0=window.x0 - self.window.x0)
        return Patch(self.mask[moved.slices], self.label)


def _blocks(window: Window) -> Iterator[Window]:
    if not window.area:
        return
    for row in range(window.y0 // BLOCK, (window.y1 - 1) // BLOCK + 1):
        for col in range(window.x0 // BLOCK, (window.x1 - 1) // BLOCK + 1):
            yield Window(row * BLOCK, col * BLOCK, BLOCK, BLOCK).intersection(window)


def _paint_block(
    pyramid: EditablePyramid, painting: Painting, block: Window, over: int | None
) -> Edit | None:
    patch = painting.patch(block)
    if patch is None:
        return None
    region = pyramid.read(block)
    changed = region != patch.labels
    if patch.mask is not None:
        changed &= patch.mask
    if over is not None:
        changed &= region == over
    if not changed.any():
        return None
    after = patch.labels if isinstance(patch.labels, int) else patch.labels[changed]
    edit = Edit.record(block, changed, region, after)
    region[changed] = after
    pyramid.write(block, region)
    return edit
