"""Asking where the files of a session are now."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtCore import Qt
from qtpy.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QFrame,
    QHBoxLayout,
    QLabel,
    QVBoxLayout,
    QWidget,
)

from napari_relay.widgets.sections.section import button, note
from napari_relay.widgets.session_opener import MissingFile, SessionOpener

_WIDTH = 520


class RelinkDialog(QDialog):
    """Lists what was not found of a session, and takes where each is now.

    Parameters
    ----------
    opener
        Knows what is missing, and opens what was found.
    """

    def __init__(self, opener: SessionOpener, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._opener = opener
        self.setWindowTitle("Files of the session that were not found")
        self.setMinimumWidth(_WIDTH)
        self.rows: list[MissingRow] = []
        column = QVBoxLayout(self)
        column.setSpacing(10)
        column.addWidget(
            note(
                "They were moved, or the session comes from another machine. Choose where each is "
                "now; others are looked for beside it. What is found already is open meanwhile."
            )
        )
        self._column = QVBoxLayout()
        self._column.setSpacing(10)
        column.addLayout(self._column)
        buttons = QDialogButtonBox()
        buttons.addButton("Go on without them", QDialogButtonBox.ButtonRole.RejectRole)
        buttons.rejected.connect(self.reject)
        column.addWidget(buttons)
        opener.missing_changed.connect(self.refresh)
        self.refresh()

    def refresh(self) -> None:
        """List what is missing now; close when nothing is."""
        for row in self.rows:
            self._column.removeWidget(row)
            row.deleteLater()
        self.rows = [MissingRow(self._opener, missing) for missing in self._opener.missing]
        for row in self.rows:
            self._column.addWidget(row)
        if not self.rows:
            self.accept()


class MissingRow(QFrame):
    """One missing file: its name, why, and a button to choose it."""

    def __init__(self, opener: SessionOpener, missing: MissingFile) -> None:
        super().__init__()
        self._opener, self._missing = opener, missing
        self.title = QLabel(missing.title)
        self.title.setStyleSheet("font-weight: bold")
        self.title.setTextFormat(Qt.TextFormat.PlainText)
        self.reason = note(missing.reason)
        self.choose = button("Choose…", "Choose where it is now", self._ask)
        top = QHBoxLayout()
        top.addWidget(self.title, 1)
        top.addWidget(self.choose)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(2)
        column.addLayout(top)
        column.addWidget(self.reason)

    def take(self, path: Path) -> None:
        """Take a file or folder for it, or say why it cannot be it."""
        refused = self._opener.choose(self._missing, path)
        if refused:
            self.reason.setText(refused)

    def _ask(self) -> None:
        if self._missing.is_folder:
            path = QFileDialog.getExistingDirectory(self, f"Where is {self._missing.title}?")
        else:
            path, _ = QFileDialog.getOpenFileName(
                self, f"Where is {self._missing.title}?", "", "All files (*)"
            )
        if path:
            self.take(Path(path))
