"""Hands and eyes of the person who follows a guide."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
from qtpy.QtCore import QPoint, Qt, QTimer
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QComboBox, QFileDialog, QPushButton, QScrollArea, QWidget

from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.session_layers import SessionLayers

Wait = Callable[[Callable[[], bool]], None]
_NOT_DOUBLE = 0.5
"""Seconds between two clicks that are not one double click."""


class Person:
    """Clicks and chooses in a real window, and looks at it.

    Parameters
    ----------
    panel
        Of the window.
    wait
        Lets Qt work until a condition holds.
    look
        Called with the name of what is to be seen now; a picture of a guide.
    """

    def __init__(self, panel: RelayPanel, wait: Wait, look: Callable[[str], None]) -> None:
        self.panel, self.wait, self._look = panel, wait, look
        self.viewer = panel.controller.viewer

    @property
    def layers(self) -> SessionLayers:
        """Of the image that is worked on."""
        current = self.panel.controller.current
        assert current is not None
        return current

    @property
    def store(self) -> PredictionStore:
        """Its prediction."""
        store = self.layers.session.store
        assert store is not None
        return store

    @property
    def _canvas(self) -> QWidget:
        canvas: QWidget = self.viewer.window._qt_viewer.canvas.native
        return canvas

    def press(self, button: QWidget) -> None:
        """Scroll the panel to a button, and click it."""
        self.scroll_to(button)
        QTest.mouseClick(button, Qt.MouseButton.LeftButton)

    def scroll_to(self, widget: QWidget) -> None:
        """Scroll the panel until a widget is seen."""
        for area in self.panel.findChildren(QScrollArea):
            if area.isAncestorOf(widget):
                area.ensureWidgetVisible(widget, 0, 60)
        QApplication.processEvents()

    def press_text(self, parent: QWidget, text: str) -> None:
        """Click the button that has a text."""
        found = [b for b in parent.findChildren(QPushButton) if b.text().startswith(text)]
        self.press(found[0])

    def choose(self, box: QComboBox, text: str) -> None:
        """Choose the first entry that begins with a text."""
        self.scroll_to(box)
        row = next(i for i in range(box.count()) if box.itemText(i).startswith(text))
        box.setCurrentIndex(row)
        box.activated.emit(row)

    def zoom_to(self, window: Window) -> None:
        """Scroll and drag until level-0 pixels fill the canvas."""
        self.panel.controller.look_at(window)
        self.rest()

    def click(self, row: float, col: float) -> None:
        """Click on a pixel of the image, not so soon that it would be a double click."""
        self.hover(row, col)
        QTest.mouseClick(self._canvas, Qt.MouseButton.LeftButton, pos=self._at(row, col))
        self.rest(_NOT_DOUBLE)

    def double_click(self, row: float, col: float) -> None:
        """Click twice on a pixel of the image."""
        QTest.mouseDClick(self._canvas, Qt.MouseButton.LeftButton, pos=self._at(row, col))

    def hover(self, row: float, col: float) -> None:
        """Move the mouse to a pixel of the image."""
        QTest.mouseMove(self._canvas, self._at(row, col))
        self.rest(0.05)

    def idle(self) -> bool:
        """Whether nothing is running that a person would wait for."""
        prober = self.layers.prober
        controller = self.panel.controller
        runners = (controller.jobs, controller.exporter.jobs, controller.finetuner.jobs)
        busy = any(jobs.running for jobs in runners) or self.layers.busy
        return not (
            busy or prober.probing or prober.comparing or self.panel.explore.legend.counting
        )

    def wait_for_all(self) -> None:
        """Wait until all that runs has ended."""
        self.wait(self.idle)
        self.rest()

    def rest(self, seconds: float = 0.3) -> None:
        """Let the window follow."""
        QTest.qWait(round(seconds * 1000))

    def look(self, name: str) -> None:
        """Look at the window."""
        self.wait_for_all()
        self._look(name)

    def press_later(self, text: str) -> None:
        """Click a button of the question that is about to be asked."""

        def answer() -> None:
            question = QApplication.activeModalWidget()
            if question is None:
                QTimer.singleShot(50, answer)
            else:
                self.press_text(question, text)

        QTimer.singleShot(50, answer)

    @contextmanager
    def answering(self, path: Path) -> Iterator[None]:
        """Answer the system's own dialog for files, which no test can click, with a path."""
        with patch.object(QFileDialog, "getSaveFileName", lambda *_: (str(path), "")):
            yield

    def _at(self, row: float, col: float) -> QPoint:
        world = np.asarray(self.layers.base.data_to_world((row, col))[:2])
        camera, size = self.viewer.scene.camera, np.asarray(self.viewer.canvas.size)
        y, x = (world - np.asarray(camera.center)[-2:]) * camera.zoom + size / 2
        return QPoint(round(x), round(y))
