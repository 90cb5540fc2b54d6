"""Corrections from files, and the log of corrections to a file."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from napari.utils.notifications import show_info
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QWidget

from napari_relay.annotation.importing import VECTOR_SUFFIXES, imported_painting
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.sections.section import button

_MASKS = ("*.tif", "*.tiff", "*.png", "*.vrt", "*.img", "*.jp2", "*.zarr")


class CorrectionFiles(QWidget):
    """The buttons *Import…* and *Save log…*."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._saving = JobRunner(self)
        self._saving.advanced.connect(self._on_saved)
        self.import_file = button(
            "Import…",
            "Corrections from a mask (class numbers) or from polygons with a class column; "
            "one undo takes them back",
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
        """Paint what a file says, in the worker."""
        layers = self._controller.current
        layer = layers.show_corrections() if layers is not None else None
        if layers is None or layer is None or layers.session.corrections is None:
            return
        image, schema = layers.session.image, layers.session.corrections.schema
        make = partial(imported_painting, path, image, schema)
        layers.painter.paint(layer, f"Importing {path.name}", make, f"import {path.name}")

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
