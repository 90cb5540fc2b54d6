"""A hand on the mouse, over the canvas of the image that is worked on."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QEvent, QPoint, QPointF, Qt
from qtpy.QtGui import QMouseEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_relay.geometry import Window
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.prober import Prober

LEFT = Qt.MouseButton.LeftButton


class Hand:
    """Clicks, presses and drags as a person does."""

    def __init__(
        self, panel: RelayPanel, qtbot: QtBot, wait_for: Callable[[Callable[[], bool]], None]
    ) -> None:
        self.panel, self.qtbot, self.wait_for = panel, qtbot, wait_for
        self.viewer = panel.controller.viewer
        self.canvas: QWidget = self.viewer.window._qt_viewer.canvas.native

    @property
    def prober(self) -> Prober:
        layers = self.panel.controller.current
        assert layers is not None
        return layers.prober

    @property
    def names(self) -> list[str]:
        return [layer.name for layer in self.viewer.layers]

    @property
    def rectangles(self) -> list[Window]:
        """Outlines of the Shapes layer; each once."""
        found = set()
        for corners in self.prober.layers.windows.data:
            low, high = corners.min(axis=0) + 0.5, corners.max(axis=0) + 0.5
            found.add(Window(*(int(v) for v in (*low, *(high - low)))))
        return sorted(found)

    def at(self, row: float, col: float) -> QPoint:
        """Where on the canvas a pixel of the image is."""
        layers = self.panel.controller.current
        assert layers is not None
        world = layers.base.data_to_world((row, col))[:2]
        camera, size = self.viewer.scene.camera, np.asarray(self.viewer.canvas.size)
        y, x = (np.asarray(world) - np.asarray(camera.center)[-2:]) * camera.zoom + size / 2
        return QPoint(round(x), round(y))

    def press(self, button: QWidget) -> None:
        self.qtbot.wait(50)  # what was told moves the buttons below it
        self.qtbot.mouseClick(button, LEFT)

    def click(self, row: float, col: float) -> None:
        self.qtbot.mouseClick(self.canvas, LEFT, pos=self.at(row, col))

    def drag(self, start: tuple[float, float], stop: tuple[float, float]) -> None:
        first, last = self.at(*start), self.at(*stop)
        self.qtbot.mousePress(self.canvas, LEFT, pos=first)
        for part in (0.3, 0.6, 1.0):
            where = QPointF(first) + (QPointF(last) - QPointF(first)) * part
            moved = QMouseEvent(
                QEvent.Type.MouseMove,
                where,
                QPointF(self.canvas.mapToGlobal(where.toPoint())),
                Qt.MouseButton.NoButton,
                LEFT,
                Qt.KeyboardModifier.NoModifier,
            )
            QApplication.sendEvent(self.canvas, moved)
        self.qtbot.mouseRelease(self.canvas, LEFT, pos=last)

    def probe(self, row: float, col: float) -> None:
        """Click, and wait until the answer is shown."""
        before = self.prober.probe
        self.click(row, col)
        self.wait_for(lambda: self.prober.probe is not before and not self.prober.probing)
        self.qtbot.wait(20)

    def compare(self, button: QWidget) -> None:
        """Press, and wait until all changes are shown."""
        self.press(button)
        self.wait_for(lambda: self.prober.comparison is not None and not self.prober.comparing)
