"""A window to read in."""

from __future__ import annotations

from qtpy.QtCore import QSize, Qt
from qtpy.QtWidgets import QDialog, QTextBrowser, QVBoxLayout, QWidget

_SIZE = QSize(680, 620)


class ReadingWindow(QDialog):
    """A page of text that can be scrolled, copied from and left open beside the work."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(title)
        self.page = QTextBrowser()
        self.page.setOpenExternalLinks(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        if (document := self.page.document()) is not None:
            document.setDocumentMargin(16)
        column.addWidget(self.page)
        self.setWindowFlag(Qt.WindowType.WindowContextHelpButtonHint, False)
        self.resize(_SIZE.boundedTo(self._room()))

    def bring_up(self) -> None:
        """Show the window, or bring it to the front."""
        self.show()
        self.raise_()
        self.activateWindow()

    def _room(self) -> QSize:
        """Nine tenths of the screen."""
        screen = self.screen()
        return screen.availableSize() * 0.9 if screen is not None else _SIZE
