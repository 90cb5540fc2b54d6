"""A brush stroke that is drawn on screen at once and painted at full resolution afterwards."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from napari.layers import Labels

from napari_relay.annotation.outlines import StrokePainting
from napari_relay.geometry import Window
from napari_relay.widgets.region_refresh import level_frame, visible_part, window_of


class LargeStroke:
    """Collects the path of the brush.

    Parameters
    ----------
    size
        Diameter of the brush, level-0 pixels.
    label
        Value that it paints, as the store has it.
    shown
        The same as the layer shows it.
    tool
        ``"brush"`` or ``"erase"``.
    """

    def __init__(self, size: float, label: int, shown: int, tool: str) -> None:
        self.size, self.label, self.tool = size, label, tool
        self._shown = shown
        self._path: list[Sequence[float]] = []

    def add(self, layer: Labels, place: Sequence[float]) -> Window | None:
        """Go on to a place, show it, and return the level-0 window that was drawn in."""
        self._path.append(tuple(float(n) for n in place))
        return self._draw(layer, StrokePainting(self._path[-2:], self.size, self.label))

    def painting(self) -> StrokePainting:
        """All of it."""
        return StrokePainting(self._path, self.size, self.label)

    def _draw(self, layer: Labels, piece: StrokePainting) -> Window | None:
        """Draw in the pixels on screen only."""
        if not layer._slicing_state.loaded or layer._slice.empty:
            return None
        part = visible_part(layer, piece.window)
        if part is None:
            return None
        factor = float(level_frame(layer)[0][0])
        wide = StrokePainting(piece.path, max(piece.radius * 2, math.sqrt(2) * factor), 0)
        mask = wide.mask(window_of(part.pixels), factor)
        image = layer._slice.image
        image.raw[part.tile][mask] = np.uint8(self._shown)
        image.view[part.tile] = layer._raw_to_displayed(image.raw, part.tile)
        return piece.window
