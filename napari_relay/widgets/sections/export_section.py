"""Saving the result."""

from __future__ import annotations

from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.sections.section import Section, button


class ExportSection(Section):
    """Save the class mask to a file."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Export", parent)
        self._controller = controller
        self.add(
            button("Save mask…", "Save the class mask as a (Geo)TIFF with its pyramid", self._ask)
        )
        controller.model_changed.connect(self._refresh)
        self._refresh()

    def _refresh(self) -> None:
        session = self._controller.session
        self.setEnabled(session is not None and session.store is not None)

    def _ask(self) -> None:
        session = self._controller.session
        if session is None:
            return
        start = str(
            session.image.source.with_suffix("").with_name(f"{session.image.source.stem}-mask.tif")
        )
        path, _ = QFileDialog.getSaveFileName(self, "Save the class mask", start, "TIFF (*.tif)")
        if path:
            self._controller.save_mask(Path(path))
