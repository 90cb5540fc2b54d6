"""The Relay panel: everything a person does, from top to bottom."""

from __future__ import annotations

from collections.abc import Callable

from napari.viewer import Viewer
from qtpy.compat import isalive
from qtpy.QtGui import QShowEvent
from qtpy.QtWidgets import (
    QHBoxLayout,
    QMainWindow,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_relay.widgets.activity import Activity
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.file_drops import FileDrops
from napari_relay.widgets.help_sheet import HelpSheet
from napari_relay.widgets.panel_keys import bind_keys
from napari_relay.widgets.recent_recorder import RecentRecorder
from napari_relay.widgets.sections.attention_section import AttentionSection
from napari_relay.widgets.sections.column import Column
from napari_relay.widgets.sections.correction_section import CorrectionSection
from napari_relay.widgets.sections.explore_section import ExploreSection
from napari_relay.widgets.sections.export_section import ExportSection
from napari_relay.widgets.sections.finetuning_section import FinetuningSection
from napari_relay.widgets.sections.image_section import ImageSection
from napari_relay.widgets.sections.model_section import ModelSection
from napari_relay.widgets.sections.prediction_section import PredictionSection
from napari_relay.widgets.sections.probe_section import ProbeSection
from napari_relay.widgets.sections.section import Section, WheelGuard
from napari_relay.widgets.session_desk import SessionDesk

_WIDTH = 340


class RelayPanel(QWidget):
    """Image, model, prediction, exploring, attention, probe, corrections, fine-tuning, export.

    Parameters
    ----------
    napari_viewer
        The viewer whose images are worked on; napari passes it by this name.
    """

    def __init__(self, napari_viewer: Viewer, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.controller = RelayController(napari_viewer)
        self.image = ImageSection(self.controller)
        self.model = ModelSection(self.controller)
        self.prediction = PredictionSection(self.controller)
        self.explore = ExploreSection(self.controller)
        self.attention = AttentionSection(self.controller)
        self.probe = ProbeSection(self.controller)
        self.correction = CorrectionSection(self.controller)
        self.finetuning = FinetuningSection(self.controller)
        self.export = ExportSection(self.controller)
        self.sessions = SessionDesk(
            self.controller,
            self.image,
            self.attention,
            (self.prediction, self.correction, self.finetuning),
        )
        self.help = _tool("? Help", "How the work goes, and all keys", self.show_help)
        self.go_to_export = _tool(
            "Export", "Go to where masks, polygons and reports are saved", self.show_export
        )
        self._help_sheet: HelpSheet | None = None
        self._lay_out()
        self.activity = Activity(self.controller, self.controller)
        self.activity.watch(self.model.importer.jobs)
        self.activity.watch(self.attention.saving.jobs)
        self.activity.watch(self.sessions.saver.jobs)
        self._recorder = RecentRecorder(self.controller, self.controller)
        self._drops = FileDrops(self.controller, self.sessions.open, self.controller)
        self.keys = bind_keys(self)
        self.controller.images_changed.connect(self._explain)
        self.controller.model_changed.connect(self._explain)
        self._explain()
        self._close_when_destroyed()

    def show_help(self) -> None:
        """Open the help page."""
        if self._help_sheet is None:
            self._help_sheet = HelpSheet(self.keys.bound, self)
        self._help_sheet.bring_up()

    def show_export(self) -> None:
        """Unfold the section *Export* and bring it into view."""
        self.export.heading.setChecked(True)
        self._column.reveal(self.export)

    def showEvent(self, event: QShowEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Watch what is dropped on the window, once it is known."""
        super().showEvent(event)
        window = main_window(self)
        if window is not None:
            self._drops.watch(window)

    def _sections(self) -> tuple[Section, ...]:
        return (
            self.image,
            self.model,
            self.prediction,
            self.explore,
            self.attention,
            self.probe,
            self.correction,
            self.finetuning,
            self.export,
        )

    def _lay_out(self) -> None:
        self._column = column = Column(self._sections())
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        whole.addLayout(self._top())
        whole.addWidget(self.sessions.banner)
        whole.addWidget(column)
        self.setMinimumWidth(_WIDTH)
        self._wheel_guard = WheelGuard(self)
        self._wheel_guard.guard(column)

    def _top(self) -> QHBoxLayout:
        top = QHBoxLayout()
        top.setContentsMargins(8, 2, 8, 0)
        top.addStretch(1)
        top.addWidget(self.go_to_export)
        top.addWidget(self.help)
        return top

    def _explain(self) -> None:
        """Say beside the sections that cannot be used what is needed first."""
        session = self.controller.session
        for section in self._sections():
            if session is None:
                building = self.controller.building
                section.explain("when all levels are built" if building else "open an image first")
            elif session.checkpoint is None:
                section.explain("choose a model first")
            else:
                section.explain("this model has none" if section is self.attention else "")

    def _close_when_destroyed(self) -> None:
        controller, keys, activity = self.controller, self.keys, self.activity
        recorder = self._recorder

        def close() -> None:
            keys.close()
            if isalive(controller):  # not so where the process ended without Qt's own farewell
                recorder.close()
                controller.close()
                activity.close()

        self.destroyed.connect(close)


def _tool(text: str, tip: str, clicked: Callable[[], None]) -> QToolButton:
    """A button at the top of the panel."""
    made = QToolButton()
    made.setText(text)
    made.setToolTip(tip)
    made.clicked.connect(lambda: clicked())
    return made


def main_window(widget: QWidget) -> QMainWindow | None:
    """The main window that a widget lies in, also while its dock floats."""
    parent = widget.parentWidget()
    while parent is not None and not isinstance(parent, QMainWindow):
        parent = parent.parentWidget()
    return parent
