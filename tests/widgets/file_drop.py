"""Files that a person drags over the window and lets go."""

from __future__ import annotations

from pathlib import Path

from qtpy import QT5
from qtpy.QtCore import QMimeData, QPoint, QPointF, Qt, QUrl
from qtpy.QtGui import QDragEnterEvent, QDropEvent
from qtpy.QtWidgets import QApplication, QWidget

from napari_relay.widgets.panel import RelayPanel, main_window
from napari_relay.widgets.start_page import StartPage


def drop(panel: RelayPanel, *paths: Path) -> None:
    """Drag files over the canvas and let them go, as a file manager does."""
    window = main_window(panel)
    assert window is not None
    (canvas,) = [w for w in window.findChildren(QWidget) if w.inherits("QOpenGLWidget")]
    covering = [w for w in canvas.findChildren(QWidget) if isinstance(w, StartPage)]
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile(str(path)) for path in paths])
    # Qt offers it to what lies under the mouse, then to what that lies in.
    for kind in (QDragEnterEvent, QDropEvent):
        point = QPoint(5, 5) if kind is QDragEnterEvent or QT5 else QPointF(5, 5)
        event = kind(
            point,
            Qt.DropAction.CopyAction,
            data,
            Qt.MouseButton.LeftButton,
            Qt.KeyboardModifier.NoModifier,
        )
        QApplication.sendEvent((covering or [canvas])[0], event)
