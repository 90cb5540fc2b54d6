"""Exports of the image that is worked on, in a worker of their own."""

from __future__ import annotations

from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal

from napari_relay.exporting.formats import ExportFormat, ExportRequest
from napari_relay.exporting.progress import ExportProgress
from napari_relay.session import Session
from napari_relay.widgets.jobs import JobRunner

EXPORTING = "Exporting"


class Exporter(QObject):
    """Writes one file or folder at a time; a prediction goes on meanwhile."""

    saved = Signal(object)
    """A file or folder is written; its path."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_advanced)

    def export(
        self, session: Session, one: ExportFormat, path: Path, request: ExportRequest
    ) -> None:
        """Write what a session has predicted.

        Parameters
        ----------
        session
            Of the image.
        one
            The format.
        path
            What is written.
        request
            What is wanted of it.
        """
        store, image = session.store, session.image
        if store is None:
            return
        self.jobs.start(EXPORTING, lambda: one.run(store, image, path, request))

    def cancel(self) -> None:
        """Stop; what is not whole is not left behind."""
        self.jobs.cancel()

    def _on_advanced(self, progress: ExportProgress) -> None:
        if progress.done == progress.total:
            show_info(f"Saved {progress.path}.")
            self.saved.emit(progress.path)
