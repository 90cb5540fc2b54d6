"""The session that the window works in: its name, opening another, saving it under a name."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from napari_relay.widgets.relink_dialog import RelinkDialog
from napari_relay.widgets.sections.section import button, note
from napari_relay.widgets.session_keeper import SessionKeeper
from napari_relay.widgets.session_opener import SessionOpener
from napari_relay.widgets.session_saver import SessionSaver


class SessionPart(QWidget):
    """Part of the image section, since a session is images with the work on them.

    Parameters
    ----------
    keeper
        Holds the session.
    opener
        Opens another one.
    saver
        Saves it under a name.
    """

    def __init__(
        self,
        keeper: SessionKeeper,
        opener: SessionOpener,
        saver: SessionSaver,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._keeper, self._opener, self._saver = keeper, opener, saver
        self._dialog: RelinkDialog | None = None
        self.name = note()
        self.open = button("Open session…", "Open a .relay folder where it was left", self.ask)
        self.save = button(
            "Save session as…",
            "Keep the images with all the work on them in a folder of your choice, and go on there",
            lambda: saver.ask(self),
        )
        self.status = note()
        self.stop = button("Stop", "Leave the session where it is", saver.cancel)
        self.missing = note()
        self.find_them = button("Find…", "Choose where they are now", self._show_missing)
        self._lay_out()
        saver.advanced.connect(self._on_saving)
        keeper.changed.connect(self._refresh)
        opener.missing_changed.connect(self._on_missing)
        self._on_saving("")
        self._refresh()

    def ask(self) -> None:
        """Let the person choose a session, and open it."""
        folder = QFileDialog.getExistingDirectory(self, "Open a session (a .relay folder)")
        if folder:
            self._opener.open(Path(folder))

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addWidget(self.name)
        column.addLayout(_row(self.open, self.save))
        column.addLayout(_row(self.status, self.stop))
        column.addLayout(_row(self.missing, self.find_them))

    def _refresh(self) -> None:
        project = self._keeper.project
        self.save.setEnabled(project is not None)
        if project is None:
            self.name.setText("")
        elif project.is_unnamed:
            self.name.setText("Session: kept by itself, not saved under a name")
        else:
            self.name.setText(f"Session: {project.name}")
            self.name.setToolTip(str(project.folder))
        self.name.setVisible(project is not None)
        self._tell_missing()

    def _on_saving(self, words: str) -> None:
        self.status.setText(words)
        for widget in (self.status, self.stop):
            widget.setVisible(bool(words))

    def _on_missing(self) -> None:
        self._tell_missing()
        if self._opener.missing:
            self._show_missing()

    def _tell_missing(self) -> None:
        names = ", ".join(missing.title for missing in self._opener.missing)
        self.missing.setText(f"Not found: {names}" if names else "")
        for widget in (self.missing, self.find_them):
            widget.setVisible(bool(names))

    def _show_missing(self) -> None:
        if self._dialog is None or not self._dialog.isVisible():
            self._dialog = RelinkDialog(self._opener, self)
            self._dialog.finished.connect(self._dialog.deleteLater)
            self._dialog.finished.connect(self._forget_dialog)
            self._dialog.open()

    def _forget_dialog(self) -> None:
        self._dialog = None


def _row(first: QWidget, second: QPushButton) -> QHBoxLayout:
    row = QHBoxLayout()
    row.setSpacing(5)
    row.addWidget(first, 1)
    row.addWidget(second, 1 if isinstance(first, QPushButton) else 0)
    return row
