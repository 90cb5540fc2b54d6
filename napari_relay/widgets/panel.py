"""The Relay panel: everything a person does, from top to bottom."""

from __future__ import annotations

from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.sections.attention_section import AttentionSection
from napari_relay.widgets.sections.correction_section import CorrectionSection
from napari_relay.widgets.sections.explore_section import ExploreSection
from napari_relay.widgets.sections.export_section import ExportSection
from napari_relay.widgets.sections.finetuning_section import FinetuningSection
from napari_relay.widgets.sections.image_section import ImageSection
from napari_relay.widgets.sections.model_section import ModelSection
from napari_relay.widgets.sections.prediction_section import PredictionSection
from napari_relay.widgets.sections.probe_section import ProbeSection
from napari_relay.widgets.sections.section import WheelGuard

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
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(8, 4, 8, 8)
        for section in self._sections():
            column.addWidget(section)
        column.addStretch(1)
        scroll = QScrollArea()
        scroll.setWidget(inner)
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.addWidget(scroll)
        self.setMinimumWidth(_WIDTH)
        self._wheel_guard = WheelGuard(self)
        self._wheel_guard.guard(inner)
        controller = self.controller
        self.destroyed.connect(lambda: controller.close())

    def _sections(self) -> tuple[QWidget, ...]:
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
