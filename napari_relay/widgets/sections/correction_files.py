"""Corrections from files, and the log of corrections to a file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from napari_relay.annotation.importing import ImportedPainting
from napari_relay.training.imported import VECTOR_SUFFIXES, ImportedLabels
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.import_dialog import ImportDialog
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.sections.section import button
from napari_relay.widgets.session_layers import SessionLayers

_MASKS = ("*.tif", "*.tiff", "*.png", "*.vrt", "*.img", "*.jp2", "*.bmp", "*.asc")


class CorrectionFiles(QWidget):
    """The buttons *Import…* and *Save log…*."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._saving = JobRunner(self)
        self._saving.advanced.connect(self._on_saved)
        self._reading = JobRunner(self)
        self.dialog: ImportDialog | None = None
        """What asks now; None: nothing does."""
        self.import_file = button(
            "Import…",
            "Corrections from a mask (class numbers or colours) or from polygons with a class; "
            "you see first what becomes of each, and one undo takes them back",
            self._ask_import,
        )
        self.save_log = button(
            "Save log…",
            "Who corrected what, when, with which tool and model version, as a CSV table",
            self._ask_log,
        )
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        row.addWidget(self.import_file, 1)
        row.addWidget(self.save_log, 1)

    def import_from(self, path: Path) -> None:
        """Show what a file says, and ask what its classes mean."""
        layers = self._controller.current
        if layers is None or layers.show_corrections() is None or self.dialog is not None:
            return
        store = layers.session.corrections
        if store is None:
            return
        self.dialog = ImportDialog(
            path, layers.session.image, store.schema, self._reading, self.window()
        )
        self.dialog.chosen.connect(partial(self._paint, layers))
        self.dialog.finished.connect(self._on_finished)
        self.dialog.open()

    def _paint(self, layers: SessionLayers, labels: ImportedLabels) -> None:
        """Paint what was chosen, in the worker."""
        layer = layers.show_corrections()
        if layer is None or layers not in self._controller.layers:
            return
        name = labels.file.path.name
        make = partial(ImportedPainting, labels)
        layers.painter.paint(layer, f"Importing {name}", make, f"import {name}")

    def _on_finished(self, _result: int) -> None:
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None

    def save_log_to(self, path: Path) -> None:
        """Write the log of the current image's corrections."""
        session = self._controller.session
        if session is None or session.corrections is None:
            return
        log = session.corrections.log

        def save() -> Iterator[str]:
            count = log.export_csv(path)
            yield f"Saved {path}: {count} rows."

        self._saving.start("Saving the log", save)

    def _ask_import(self) -> None:
        vectors = " ".join(f"*{suffix}" for suffix in VECTOR_SUFFIXES)
        kinds = f"Masks and polygons ({' '.join(_MASKS)} {vectors});;All files (*)"
        chosen, _ = QFileDialog.getOpenFileName(self, "Import corrections", self._folder(), kinds)
        if chosen:
            self.import_from(Path(chosen))

    def _ask_log(self) -> None:
        start = str(Path(self._folder()) / "corrections.csv")
        chosen, _ = QFileDialog.getSaveFileName(self, "Save the log", start, "Table (*.csv)")
        if chosen:
            self.save_log_to(Path(chosen).with_suffix(".csv"))

    def _folder(self) -> str:
        session = self._controller.session
        return str(session.image.source.parent) if session is not None else ""

    def _on_saved(self, sentence: str) -> None:
        show_info(sentence)
