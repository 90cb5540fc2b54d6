"""Clicking on the canvas to choose a place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from napari.layers import Layer
from napari.viewer import Viewer
from qtpy.QtCore import QObject, Qt, Signal
from qtpy.QtGui import QKeySequence
from qtpy.QtWidgets import QShortcut, QWidget

_PAN = "pan_zoom"
_STILL = 4.0
"""A button that is pressed and released within this many canvas pixels clicks; else it drags."""


class ProbeTool(QObject):
    """While it is in hand, a click says which place is meant; dragging and scrolling move the view.

    It is never in hand together with a brush: who takes up one puts down the other.

    Parameters
    ----------
    viewer
        On whose canvas is clicked.
    owner
        Widget within the viewer's window.
    """

    toggled = Signal(bool)
    """Whether it is in hand now."""
    clicked = Signal(object)
    """``(row, col)`` in the viewer's world."""

    def __init__(self, viewer: Viewer, owner: QWidget) -> None:
        super().__init__(owner)
        self._viewer, self._owner = viewer, owner
        self._is_held = False
        self._watched: Layer | None = None
        self._escape: QShortcut | None = None

    @property
    def is_held(self) -> bool:
        """Whether it is in hand."""
        return self._is_held

    def take(self) -> None:
        """Take it in hand, and put a brush down."""
        if self._is_held:
            return
        self._is_held = True
        self._viewer.mouse_drag_callbacks.append(self._on_mouse)
        self._viewer.layers.selection.events.active.connect(self._watch_active)
        self._watch_active()
        self._escape = QShortcut(QKeySequence(Qt.Key.Key_Escape), _outermost(self._owner))
        self._escape.activated.connect(self.put_down)
        self.toggled.emit(True)

    def put_down(self) -> None:
        """Let clicks mean what they mean without it."""
        if not self._is_held:
            return
        self._is_held = False
        self._viewer.mouse_drag_callbacks.remove(self._on_mouse)
        self._viewer.layers.selection.events.active.disconnect(self._watch_active)
        self._watch(None)
        self._viewer.cursor.style = "standard"
        if self._escape is not None:
            self._escape.setEnabled(False)
            self._escape.deleteLater()
            self._escape = None
        self.toggled.emit(False)

    def switch(self) -> None:
        """Take it in hand, or put it down."""
        if self._is_held:
            self.put_down()
        elif self._owner.isEnabled() and not self.signalsBlocked():
            self.take()

    def close(self) -> None:
        """Leave the viewer as it was found for good, and tell nobody."""
        self.blockSignals(True)
        self.put_down()

    def _watch_active(self) -> None:
        """Follow another layer's mode; a brush that it has in hand is put down."""
        layer = self._viewer.layers.selection.active
        self._watch(layer)
        if layer is not None and str(layer.mode) != _PAN:
            layer.mode = _PAN
        self._viewer.cursor.style = "cross"

    def _watch(self, layer: Layer | None) -> None:
        if self._watched is not None:
            self._watched.events.mode.disconnect(self._on_mode)
        self._watched = layer
        if layer is not None:
            layer.events.mode.connect(self._on_mode)

    def _on_mode(self) -> None:
        if self._watched is not None and str(self._watched.mode) != _PAN:
            self.put_down()

    def _on_mouse(self, _viewer: Viewer, event: Any) -> Iterator[None]:
        """Tell a click from a drag; napari goes on with this at each move."""
        if event.button != 1 or event.modifiers:
            return
        world, pressed = event.position, np.array(event.pos, float)
        yield
        while event.type == "mouse_move":
            yield
        if np.abs(np.asarray(event.pos) - pressed).max() <= _STILL:
            self.clicked.emit(tuple(world[-2:]))


def _outermost(widget: QWidget) -> QWidget:
    """The main window, also of a widget in a dock that floats."""
    parent = widget.parentWidget()
    while parent is not None:
        widget, parent = parent, parent.parentWidget()
    return widget
