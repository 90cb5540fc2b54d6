"""Images and sessions that are dropped on the canvas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from napari.utils.notifications import show_error
from npe2 import PluginManager
from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QDropEvent, QGuiApplication
from qtpy.QtWidgets import QMainWindow, QWidget

from napari_relay.images import image_suffixes
from napari_relay.sessions import is_session
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.layer_files.shapes import is_vector

_CHOOSE = Qt.KeyboardModifier.AltModifier | Qt.KeyboardModifier.ShiftModifier
"""Held for napari's own ways: to choose a reader, or to stack files."""


class FileDrops(QObject):
    """Opens what is dropped in the background, before napari would do it in the foreground.

    What another plugin reads, and not this one, is left to napari, and so is
    every drop while Alt or Shift is held.
    """

    def __init__(
        self,
        controller: RelayController,
        open_session: Callable[[Path], object],
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._controller = controller
        self._open_session = open_session

    def watch(self, window: QMainWindow) -> None:
        """Take what is dropped on the middle of a window."""
        middle = window.centralWidget()
        widgets = [middle, *middle.findChildren(QWidget)] if middle is not None else []
        for widget in widgets:
            if widget.acceptDrops():
                widget.installEventFilter(self)

    def eventFilter(self, widget: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Take a drop of files, unless it is for somebody else."""
        if not isinstance(event, QDropEvent) or event.type() != QEvent.Type.Drop:
            return super().eventFilter(widget, event)
        paths = _local_paths(event)
        if not paths or QGuiApplication.keyboardModifiers() & _CHOOSE or _others_read(paths):
            return False
        event.acceptProposedAction()
        self._open(paths)
        return True

    def _open(self, paths: list[Path]) -> None:
        for path in paths:
            if is_session(path):
                self._open_session(path)
            elif _is_ours(path):
                self._controller.open(path)
            else:
                suffixes = ", ".join(image_suffixes())
                show_error(f"{path} cannot be opened; convert it to one of {suffixes}.")


def _local_paths(event: QDropEvent) -> list[Path]:
    """What was dropped, if all of it lies on this machine."""
    data = event.mimeData()
    urls = data.urls() if data is not None else []
    paths = [Path(url.toLocalFile()) for url in urls if url.isLocalFile()]
    return paths if len(paths) == len(urls) else []


def _is_ours(path: Path) -> bool:
    if path.is_dir():
        return True
    return path.suffix.lower() in image_suffixes() and not is_vector(path)


def _others_read(paths: list[Path]) -> bool:
    """Whether nothing is an image, and napari has a reader for it: for shapes it is ours."""
    if any(_is_ours(path) for path in paths):
        return False
    readers = PluginManager.instance().iter_compatible_readers([str(path) for path in paths])
    return next(iter(readers), None) is not None
