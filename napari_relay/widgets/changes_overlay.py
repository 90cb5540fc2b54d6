"""The layer that shows which pixels change class with another context."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from napari.layers import Image, Labels, Layer
from napari.utils.colormaps import DirectLabelColormap
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_relay.exploring import Changes
from napari_relay.geometry import Window, union
from napari_relay.widgets.image_layer import placement_of
from napari_relay.widgets.region_refresh import RegionRefresher
from napari_relay.widgets.timers import single_shot
from relay_tokens import IGNORE_INDEX, ClassSchema

_LEVELS = 4
"""Levels of the layer, each half as large as the one before."""
_REFRESH_MS = 150
"""How often the layer follows arriving tiles."""
_NOWHERE = Window(0, 0, 0, 0)


class ChangesOverlay(QObject):
    """Shows the new class of changed pixels over one part of the image, filled window by window.

    Parameters
    ----------
    base
        Layer of the image.
    insert
        Puts a new layer into the viewer.
    """

    def __init__(self, base: Image, insert: Callable[[Layer], None]) -> None:
        super().__init__()
        self.layer: Labels | None = None
        self._base, self._insert = base, insert
        self._area, self._waiting = _NOWHERE, _NOWHERE
        self._levels: list[NDArray[np.uint8]] = []
        self._classes: ClassSchema | None = None
        self._refresher: RegionRefresher | None = None
        self._timer = single_shot(self, _REFRESH_MS, self._draw)

    def begin(self, area: Window, classes: ClassSchema) -> None:
        """Make room for changed pixels, level-0 pixels ``area``, and show the layer."""
        step = 2 ** (_LEVELS - 1)
        rows, cols = (-(-side // step) * step for side in (area.height, area.width))
        self._area, self._waiting = Window(area.y0, area.x0, rows, cols), _NOWHERE
        self._levels = [
            np.full((rows >> k, cols >> k), IGNORE_INDEX, np.uint8) for k in range(_LEVELS)
        ]
        layer = self._show_levels()
        layer.translate = np.asarray(placement_of(self._base)["scale"]) * (area.y0, area.x0)
        if classes != self._classes:
            self._classes, layer.colormap = classes, change_colormap(classes)
        layer.visible = True

    def add(self, changes: Changes) -> None:
        """Show the changed pixels of one window within the area; drawn a moment later."""
        window = self._within(changes.window)
        if not window.area:
            return
        self._levels[0][window.slices] = changes.new_classes
        inside = window
        for fine, coarse in pairwise(self._levels):
            inside = _half(inside)
            twice = Window(*(2 * side for side in inside))
            coarse[inside.slices] = _any_of_four(fine[twice.slices])
        self._draw_soon(window)

    def clear(self) -> None:
        """Show no changed pixels; the layer stays."""
        for level in self._levels:
            level[:] = IGNORE_INDEX
        self._draw_soon(self._within(self._area))

    def forget_layer(self) -> None:
        """Take note that the layer has been deleted."""
        self.layer = self._refresher = None

    def close(self) -> None:
        """Draw nothing more; the layer stays."""
        self._timer.stop()

    def _within(self, window: Window) -> Window:
        """Level-0 pixels, counted from the area's first one."""
        return window._replace(y0=window.y0 - self._area.y0, x0=window.x0 - self._area.x0)

    def _draw_soon(self, window: Window) -> None:
        self._waiting = union(self._waiting, window) if self._waiting.area else window
        if not self._timer.isActive():
            self._timer.start()

    def _draw(self) -> None:
        window, self._waiting = self._waiting, _NOWHERE
        if window.area and self._refresher is not None:
            self._refresher.refresh(window)

    def _show_levels(self) -> Labels:
        if self.layer is None:
            placed: dict[str, Any] = placement_of(self._base)
            self.layer = Labels(
                self._levels, multiscale=True, name="What changes", opacity=0.9, **placed
            )
            self._classes = None
            self._insert(self.layer)
        else:
            self.layer.data = self._levels
        self._refresher = RegionRefresher(self.layer)
        return self.layer


def change_colormap(classes: ClassSchema) -> DirectLabelColormap:
    """Colours of new classes, none of them a veil; everything else is transparent."""
    colors: dict[int | None, str] = dict(enumerate(classes.colors))
    return DirectLabelColormap(
        color_dict={**colors, IGNORE_INDEX: "transparent", None: "transparent"}
    )


def _half(window: Window) -> Window:
    """The smallest window of the next level that covers a window."""
    y0, x0 = window.y0 // 2, window.x0 // 2
    return Window(y0, x0, -(-window.y1 // 2) - y0, -(-window.x1 // 2) - x0)


def _any_of_four(labels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Half as many rows and columns; changed wherever one of the four pixels is."""
    rows, cols = labels.shape
    lowest: NDArray[np.uint8] = labels.reshape(rows // 2, 2, cols // 2, 2).min(axis=(1, 3))
    return lowest
