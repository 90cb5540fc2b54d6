"""The versions of a model: where each comes from, going to one, comparing, deleting."""

from __future__ import annotations

from datetime import datetime

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QAbstractItemView,
    QHBoxLayout,
    QHeaderView,
    QMessageBox,
    QSlider,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from napari_relay.session import ModelVersion
from napari_relay.sessions.version_record import VersionRecord
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import report
from napari_relay.widgets.sections.section import button, note
from napari_relay.widgets.session_layers import SessionLayers
from napari_relay.widgets.version_swipe import VersionSwipe
from relay_tokens import UserError, load_metadata

_HEADINGS = ("Version", "From", "Places", "mIoU", "When")
_TIPS = (
    "The one in use is bold; a double click uses another one",
    "The version it was trained from",
    "Corrected places it was trained on",
    "On corrections, before and after; of those kept out of the training where there were any",
    "When it was accepted",
)
_HEIGHT = 104
_STEPS = 200
"""Positions of the swipe over the view."""


class VersionPart(QWidget):
    """A list of the kept versions, a swipe between two of them, and what to do with them.

    Parameters
    ----------
    controller
        Whose versions.
    """

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._controller = controller
        self._swipe: VersionSwipe | None = None
        self.list = _empty_list()
        self.list.itemDoubleClicked.connect(self._use)
        self.list.itemSelectionChanged.connect(self._on_selected)
        self.use = button("Use", "Go to the selected version; the others stay", self._use)
        self.delete = button(
            "Delete…", "Delete the selected version and its predictions, for good", self._delete
        )
        self.swipe = QSlider(Qt.Orientation.Horizontal)
        self.swipe.setRange(0, _STEPS)
        self.swipe.setToolTip(
            "Left of a line over the view: what the version before predicted; right of it: "
            "what the one in use does"
        )
        self.swipe.valueChanged.connect(self._on_swiped)
        self.swipe_note = note("Before | now: drag to swipe over the view")
        self._lay_out()
        controller.model_changed.connect(self.refresh)
        controller.closing.connect(self._forget_swipe)
        self.refresh()

    def refresh(self) -> None:
        """List the versions of the model in use."""
        self._end_swipe()
        session = self._controller.session
        version = session.version if session else None
        with QSignalBlocker(self.list):
            self.list.clear()
            for one in session.versions() if session and version else ():
                self.list.addTopLevelItem(_item(one, one == version))
        fine_tuned = session is not None and session.parent() is not None
        for widget in (self.swipe, self.swipe_note):
            widget.setVisible(fine_tuned)
        self.setVisible(self.list.topLevelItemCount() > 1)
        self._on_selected()

    def select(self, number: int) -> None:
        """Select the version of a number."""
        for row in range(self.list.topLevelItemCount()):
            item = self.list.topLevelItem(row)
            if item is not None and _version(item).number == number:
                self.list.setCurrentItem(item)

    def _lay_out(self) -> None:
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 4, 0, 0)
        whole.setSpacing(4)
        whole.addWidget(self.list)
        row = QHBoxLayout()
        row.addWidget(self.use, 1)
        row.addWidget(self.delete, 1)
        whole.addLayout(row)
        whole.addWidget(self.swipe_note)
        whole.addWidget(self.swipe)

    def _selected(self) -> ModelVersion | None:
        item = self.list.currentItem()
        return None if item is None else _version(item)

    def _on_selected(self) -> None:
        chosen, session = self._selected(), self._controller.session
        other = chosen is not None and session is not None and chosen != session.version
        self.use.setEnabled(other)
        self.delete.setEnabled(other and chosen is not None and chosen.number > 0)

    def _use(self) -> None:
        chosen, session = self._selected(), self._controller.session
        if chosen is not None and session is not None and chosen != session.version:
            self._controller.use_version(chosen)

    def _delete(self) -> None:
        """Ask, then delete."""
        chosen = self._selected()
        if chosen is None:
            return
        asked = QMessageBox(self)
        asked.setWindowTitle("Delete a version?")
        asked.setText(f"{chosen.label} and what it predicted are deleted for good.")
        delete = asked.addButton("Delete", QMessageBox.ButtonRole.DestructiveRole)
        keep = asked.addButton("Keep", QMessageBox.ButtonRole.RejectRole)
        asked.setDefaultButton(keep)
        asked.buttonClicked.connect(
            lambda clicked: self._delete_now(chosen) if clicked is delete else None
        )
        asked.open()

    def _delete_now(self, version: ModelVersion) -> None:
        session = self._controller.session
        if session is None:
            return
        try:
            session.delete_version(version)
        except UserError as error:
            report(error)
        self.refresh()

    # --- the swipe

    def _on_swiped(self, value: int) -> None:
        layers, view = self._controller.current, self._controller.view
        if layers is None or view is None:
            return
        if value == 0:
            self._end_swipe()
            return
        if self._swipe is None:
            self._swipe = self._begun(layers)
        if self._swipe is not None:
            self._swipe.move(view.x0 + view.width * value / _STEPS)

    def _begun(self, layers: SessionLayers) -> VersionSwipe | None:
        parent = layers.session.parent()
        try:
            old = None if parent is None else layers.session.prediction_of(parent)
        except UserError as error:
            report(error)
            return None
        if old is None:
            return None
        swipe = VersionSwipe(layers)
        swipe.begin(old)
        return swipe

    def _end_swipe(self) -> None:
        """Show the prediction in use alone."""
        swipe = self._swipe
        self._forget_swipe()
        if swipe is not None:
            swipe.end()

    def _forget_swipe(self) -> None:
        self._swipe = None
        with QSignalBlocker(self.swipe):
            self.swipe.setValue(0)


def record_of(version: ModelVersion) -> VersionRecord | None:
    """How a version came to be; None of the model as it was loaded, or where it is not known."""
    if version.folder is None:
        return None
    try:
        return VersionRecord.of(load_metadata(version.folder).training)
    except (UserError, TypeError, ValueError, AttributeError):
        return None


def _empty_list() -> QTreeWidget:
    made = QTreeWidget()
    made.setHeaderLabels(list(_HEADINGS))
    made.setRootIsDecorated(False)
    made.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
    made.setFixedHeight(_HEIGHT)
    header, item = made.header(), made.headerItem()
    if header is not None:
        header.setSectionResizeMode(QHeaderView.ResizeMode.ResizeToContents)
    for column, tip in enumerate(_TIPS):
        if item is not None:
            item.setToolTip(column, tip)
    return made


def _item(version: ModelVersion, in_use: bool) -> QTreeWidgetItem:
    record = record_of(version)
    name = str(version.number) if version.number else "as loaded"
    texts = [name, "", "", "", ""] if record is None else [name, *_texts(record)]
    item = QTreeWidgetItem(texts)
    item.setData(0, Qt.ItemDataRole.UserRole, version)
    font = item.font(0)
    font.setBold(in_use)
    item.setFont(0, font)
    return item


def _texts(record: VersionRecord) -> tuple[str, str, str, str]:
    parent = str(record.parent) if record.parent else "as loaded"
    places = "" if record.regions is None else str(record.regions)
    scores = " → ".join("–" if s is None else f"{s:.2f}" for s in (record.before, record.after))
    when = ""
    if record.when:
        when = datetime.fromisoformat(record.when).astimezone().strftime("%d.%m. %H:%M")
    return parent, places, scores, when


def _version(item: QTreeWidgetItem) -> ModelVersion:
    version = item.data(0, Qt.ItemDataRole.UserRole)
    assert isinstance(version, ModelVersion)
    return version
