"""What a click or a drawn outline does on a corrections layer, besides painting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray

Corners = NDArray[np.float64]
"""``(vertex, 2)`` level-0 ``(row, col)``."""

_STILL = 4.0
"""A button that is pressed and released within this many canvas pixels clicks; else it draws."""
_STEP = 3.0
"""Canvas pixels between two vertices of a drawn outline."""


@dataclass(frozen=True)
class Hand:
    """A tool that acts where it is clicked, and inside what is drawn with it."""

    name: str
    """Which tool, for whom asks what is in hand."""
    clicked: Callable[[int, int], None] | None
    """Told the level-0 ``(row, col)`` of a click; None: clicks do nothing."""
    outlined: Callable[[Corners], None]
    """Told the outline that was drawn by dragging."""


def act(layer: Labels, hand: Hand, event: Any) -> Iterator[None]:
    """Follow the mouse from a press to its release; napari goes on with this at each move."""
    if event.button != 1:
        return
    overlay = layer._overlays["polygon"]
    pressed = last = np.array(event.pos, float)
    moved = 0.0
    points = [_place(layer, event)]
    yield
    overlay.freehand = True
    while event.type == "mouse_move":
        now = np.array(event.pos, float)
        moved = max(moved, float(np.abs(now - pressed).max()))
        if np.abs(now - last).max() >= _STEP:
            last = now
            points.append(_place(layer, event))
            overlay.points = [list(point + 0.5) for point in (*points, points[0])]
        yield
    overlay.points = []
    overlay.freehand = False
    if moved > _STILL and len(points) > 2:
        hand.outlined(np.array(points))
    elif moved <= _STILL and hand.clicked is not None:
        row, col = np.round(points[0]).astype(int)
        hand.clicked(int(row), int(col))


def _place(layer: Labels, event: Any) -> Corners:
    return np.asarray(layer.world_to_data(event.position), float)[-2:]
