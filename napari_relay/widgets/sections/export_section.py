"""Saving what was predicted and corrected, in the formats of other programs."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from napari.utils.notifications import show_info
from qtpy.QtCore import QSignalBlocker, Qt, QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QCheckBox, QComboBox, QFileDialog, QFormLayout, QProgressBar, QWidget

from napari_relay.exporting.formats import FORMATS, ExportFormat, ExportRequest, Kind
from napari_relay.exporting.progress import ExportProgress
from napari_relay.exporting.rasters import Quantity
from napari_relay.exporting.reporting.facts import percent
from napari_relay.exporting.vectors import outlines_in_pixels
from napari_relay.inference import PredictionStore
from napari_relay.inference.selection import area_of
from napari_relay.session import Session
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.sections.export_fields import ObjectFields
from napari_relay.widgets.sections.section import Section, add_field, button, note
from napari_relay.widgets.timers import single_shot

_FOLLOW_MS = 500
_LINK = "#4c9be8"
"""Readable on napari's light and dark themes alike."""


@dataclass(frozen=True)
class Exported:
    """Something that can be saved."""

    title: str
    """What a person reads."""
    kind: Kind
    """Which formats there are for it."""
    quantity: Quantity = "classes"
    """What the pixels of a raster are."""


CHOICES = (
    Exported("Class mask", "raster"),
    Exported("Objects as polygons", "objects"),
    Exported("Report", "report"),
    Exported("Confidence", "raster", "confidence"),
    Exported("Entropy", "raster", "entropy"),
    Exported("Scale disagreement", "raster", "disagreement"),
    Exported("Probabilities", "raster", "probabilities"),
    Exported("Corrections", "corrections"),
)


class ExportSection(Section):
    """Choose what and how, and save it in the background."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Export", parent)
        self._controller = controller
        self.what, self.format = QComboBox(), QComboBox()
        self.what.setToolTip("What is saved")
        self.fields = ObjectFields()
        self.inside = QCheckBox("Only inside the drawn areas")
        self.inside.setToolTip(
            "Draw them with Predict › Draw area. Objects count that lie inside by half or more; "
            "a raster is cut to the window around the areas."
        )
        self.coverage, self.status = note(), note()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.save = button("Save…", "Choose where, and save in the background", self._ask)
        self.cancel = button("Cancel", "Stop, and leave nothing behind", controller.exporter.cancel)
        self._lay_out()
        self._timer = single_shot(self, _FOLLOW_MS, self._show_coverage)
        self._follow()
        self._refresh()

    def _lay_out(self) -> None:
        form = self.add_form()
        add_field(form, "Save", self.what)
        add_field(form, "As", self.format)
        for widget in (self.fields, self.inside, self.coverage, self.bar):
            self.add(widget)
        self.add_row(self.save, self.cancel)
        self.add(self.status)
        self.bar.hide()
        self.cancel.hide()
        self._say("")
        self._align(form)
        self.status.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)

    def _align(self, form: QFormLayout) -> None:
        """Let all fields begin at one line."""
        labels = [form.labelForField(field) for field in (self.what, self.format)]
        labels += self.fields.labels
        width = max(label.sizeHint().width() for label in labels if label is not None)
        for label in labels:
            if label is not None:
                label.setMinimumWidth(width)

    def _on_tile(self) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _follow(self) -> None:
        """Listen by methods of this widget alone, which Qt lets go of with the widget."""
        controller, exporter = self._controller, self._controller.exporter
        self.what.currentIndexChanged.connect(self._on_what)
        self.format.currentIndexChanged.connect(self._show_tip)
        self.status.linkActivated.connect(_open_link)
        controller.model_changed.connect(self._refresh)
        controller.predicted.connect(self._on_tile)
        controller.jobs.ended.connect(self._show_coverage)
        exporter.jobs.started.connect(self._on_started)
        exporter.jobs.ended.connect(self._on_ended)
        exporter.jobs.advanced.connect(self._on_advanced)
        exporter.saved.connect(self._on_saved)

    # --- what is chosen

    @property
    def chosen(self) -> Exported | None:
        """What is to be saved."""
        found = self.what.currentData()
        return found if isinstance(found, Exported) else None

    @property
    def chosen_format(self) -> ExportFormat | None:
        """As what."""
        found = self.format.currentData()
        return found if isinstance(found, ExportFormat) else None

    def choose(self, title: str, name: str) -> None:
        """Choose what is to be saved by its title, and the format by its name."""
        self.what.setCurrentIndex(self.what.findText(title))
        rows = range(self.format.count())
        named = (row for row in rows if self.format.itemData(row).name == name)
        self.format.setCurrentIndex(next(named))

    def request(self) -> ExportRequest | None:
        """What the fields say; None where no area is drawn and one is needed."""
        layers, chosen = self._controller.current, self.chosen
        if layers is None or chosen is None:
            return None
        within = None
        if self.inside.isChecked() and not self.inside.isHidden():
            areas = layers.areas.areas
            if not areas:
                show_info("No area is drawn yet: press Draw area, click its corners, then Enter.")
                return None
            within = outlines_in_pixels([np.asarray(area, float) for area in areas])
        session = layers.session
        return ExportRequest(
            chosen.quantity, self.fields.options(within), session.checkpoint, session.corrections
        )

    def save_to(self, path: Path) -> None:
        """Save what is chosen."""
        session, one, request = self._controller.session, self.chosen_format, self.request()
        if session is not None and one is not None and request is not None:
            named = path if one.fits(path) else path.with_name(path.name + one.suffix)
            self._controller.exporter.export(session, one, named, request)

    def _ask(self) -> None:
        session, one, request = self._controller.session, self.chosen_format, self.request()
        if session is None or one is None or request is None:
            return
        source = session.image.source
        start = source.with_name(one.file_name(source.stem, request))
        kind = f"{one.title} (*{one.suffix})" if one.suffix else "Folder (*)"
        path, _ = QFileDialog.getSaveFileName(self, f"Save: {one.title}", str(start), kind)
        if path:
            self.save_to(Path(path))

    # --- following

    def _refresh(self) -> None:
        session = self._controller.session
        ready = session is not None and session.store is not None
        self.setEnabled(ready)
        self.fields.fit(session.image if session is not None else None)
        self._offer(session)
        self._show_coverage()

    def _offer(self, session: Session | None) -> None:
        """Offer what there is of the image."""
        shown = [one for one in CHOICES if session is not None and _has(session, one)]
        if shown == [self.what.itemData(row) for row in range(self.what.count())]:
            return
        before = self.chosen
        with QSignalBlocker(self.what):
            self.what.clear()
            for one in shown:
                self.what.addItem(one.title, one)
            self.what.setCurrentIndex(shown.index(before) if before in shown else 0)
        self._on_what()

    def _on_what(self) -> None:
        chosen = self.chosen
        kind = chosen.kind if chosen is not None else "raster"
        before = self.chosen_format
        with QSignalBlocker(self.format):
            self.format.clear()
            for one in FORMATS:
                if one.kind == kind:
                    suffix = f" ({one.suffix})" if one.suffix else ""
                    self.format.addItem(f"{one.title}{suffix}", one)
            if before is not None and before.kind == kind:
                self.format.setCurrentIndex(self.format.findData(before))
        self.fields.setVisible(kind in ("objects", "report"))
        self.fields.show_tolerance(kind == "objects")
        self.inside.setVisible(kind != "corrections")
        self._show_tip()
        self._show_coverage()

    def _show_tip(self) -> None:
        one = self.chosen_format
        self.format.setToolTip(one.description.capitalize() if one is not None else "")

    def _show_coverage(self) -> None:
        """Say how much is predicted, where that is not all."""
        session, chosen = self._controller.session, self.chosen
        store = session.store if session is not None else None
        concerns = chosen is not None and chosen.kind != "corrections"
        words = _coverage(store) if store is not None and concerns else ""
        self.coverage.setText(words)
        self.coverage.setVisible(bool(words))

    # --- while it runs

    def _on_started(self) -> None:
        self._on_running(True)

    def _on_running(self, running: bool) -> None:
        self.save.setVisible(not running)
        self.cancel.setVisible(running)
        self.bar.setVisible(running)
        self.bar.setRange(0, 0)
        if running:
            self._say("")

    def _on_advanced(self, progress: ExportProgress) -> None:
        self.bar.setRange(0, progress.total)
        self.bar.setValue(progress.done)

    def _on_ended(self, _name: str, complete: bool) -> None:
        self._on_running(False)
        if not complete:
            self._say("Nothing was saved.")

    def _on_saved(self, path: Path) -> None:
        folder = QUrl.fromLocalFile(str(path.absolute().parent)).toString()
        name = html.escape(path.name)
        link = f'<a href="{html.escape(folder)}" style="color: {_LINK}">Open its folder</a>'
        self._say(f"Saved {name} · {link}")

    def _say(self, words: str) -> None:
        # Its line is always there: what is said below the button would else be out of view.
        self.status.setText(words or "\u00a0")


def _has(session: Session, one: Exported) -> bool:
    """Whether an image has what could be saved."""
    store = session.store
    if store is None:
        return False
    if one.kind == "corrections":
        return session.corrections is not None
    missing = {
        "disagreement": store.disagreement is None,
        "probabilities": not store.has_probabilities,
    }
    return not missing.get(one.quantity, False)


def _coverage(store: PredictionStore) -> str:
    """What a person should know of a prediction that is not complete; empty of a complete one."""
    grid, known = store.grid, store.finished | store.skipped
    if known.all():
        return ""
    if not known.any():
        return "Nothing is predicted yet."
    share = area_of(grid, known) / (grid.height * grid.width)
    return f"{percent(share)} of the image is predicted; the rest stays empty."


def _open_link(link: str) -> None:
    """Show a file or folder in the system's own program."""
    QDesktopServices.openUrl(QUrl(link))
