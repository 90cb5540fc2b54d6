"""A mouse for a layer of a real viewer."""

from __future__ import annotations

import numpy as np
from napari.utils._proxies import ReadOnlyWrapper
from napari.utils.interactions import (
    mouse_double_click_callbacks,
    mouse_move_callbacks,
    mouse_press_callbacks,
    mouse_release_callbacks,
)

from napari_relay.widgets.paintable_labels import Labels


class Mouse:
    """Moves, presses and releases a button at world coordinates, as napari is told."""

    def __init__(self, layer: Labels) -> None:
        self.layer = layer

    def event(self, kind: str, row: float, col: float, button: int = 1) -> object:
        class Event:
            type = kind
            position = (row, col)
            pos = np.array([col, row])
            is_dragging = kind == "mouse_move"
            dims_displayed = (0, 1)
            view_direction = None
            modifiers: tuple[str, ...] = ()
            camera_zoom = 1.0
            handled = False

        Event.button = button
        return ReadOnlyWrapper(Event(), exceptions=("handled",))  # a drag follows its wrapped event

    def drag(self, *points: tuple[float, float], button: int = 1) -> None:
        mouse_press_callbacks(self.layer, self.event("mouse_press", *points[0], button))
        for point in points[1:]:
            mouse_move_callbacks(self.layer, self.event("mouse_move", *point, button))
        mouse_release_callbacks(self.layer, self.event("mouse_release", *points[-1], button))

    def move(self, row: float, col: float) -> None:
        mouse_move_callbacks(self.layer, self.event("mouse_move", row, col))

    def double_click(self, row: float, col: float) -> None:
        mouse_double_click_callbacks(self.layer, self.event("mouse_double_click", row, col))
