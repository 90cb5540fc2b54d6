"""Which part of an image a person sees."""

from __future__ import annotations

import math

import numpy as np
from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, QTimer, Signal

from napari_relay.geometry import Window

_DEBOUNCE_MS = 80


def visible_window(viewer: Viewer, layer: Layer) -> Window:
    """Level-0 pixels of ``layer`` that are on the canvas; may reach outside the image."""
    camera, size = viewer.scene.camera, np.asarray(viewer.canvas.size)
    middle = np.asarray(camera.center)[-2:]
    half = size / camera.zoom / 2
    corners = [layer.world_to_data(middle + half * (dy, dx)) for dy in (-1, 1) for dx in (-1, 1)]
    low, high = np.min(corners, axis=0)[:2], np.max(corners, axis=0)[:2]
    y0, x0 = (math.floor(v) for v in low)
    y1, x1 = (math.ceil(v) + 1 for v in high)
    return Window(y0, x0, y1 - y0, x1 - x0)


def show_window(viewer: Viewer, layer: Layer, window: Window) -> None:
    """Move the camera so that level-0 pixels of ``layer`` fill the canvas as well as they fit."""
    low = np.asarray(layer.data_to_world((window.y0, window.x0)))
    high = np.asarray(layer.data_to_world((window.y1, window.x1)))
    camera = viewer.scene.camera
    camera.center = tuple((low + high) / 2)
    camera.zoom = float(np.min(np.asarray(viewer.canvas.size) / (high - low)))


class ViewportWatcher(QObject):
    """Tells, a moment after the last movement, that the view has changed."""

    moved = Signal()

    def __init__(self, viewer: Viewer, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_DEBOUNCE_MS)
        self._timer.timeout.connect(self.moved)
        events = viewer.scene.camera.events
        self._sources = (events.center, events.zoom, viewer.canvas.events.size)
        for source in self._sources:
            source.connect(self._on_event)

    def _on_event(self) -> None:
        self._timer.start()

    def stop(self) -> None:
        """Listen no more."""
        self._timer.stop()
        for source in self._sources:
            source.disconnect(self._on_event)
