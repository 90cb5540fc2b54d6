"""What the colours mean, and how much there is of each class."""

from __future__ import annotations

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtGui import QStandardItemModel
from qtpy.QtWidgets import QCheckBox, QComboBox, QWidget
from superqt import QLabeledSlider

from napari_relay.inference import PredictionStore
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.jobs import report
from napari_relay.widgets.score_overlay import SCORES, score_levels
from napari_relay.widgets.sections.class_legend import ClassLegend
from napari_relay.widgets.sections.section import Section, add_field, button
from relay_tokens import UserError


class ExploreSection(Section):
    """Legend with class areas, opacity of the mask, and what else is known of each pixel."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Explore", parent)
        self._controller = controller
        self.legend = ClassLegend()
        self.legend.color_chosen.connect(self._on_color)
        self.add(self.legend)
        self.opacity = QLabeledSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setValue(50)
        self.opacity.setToolTip("How strongly the class mask covers the image, in percent")
        self.opacity.valueChanged.connect(self._on_opacity)
        form = self.add_form()
        add_field(form, "Opacity", self.opacity)
        self.outlines = QCheckBox("Outlines only")
        self.outlines.setToolTip("Show the borders of the classes instead of filled areas")
        self.outlines.toggled.connect(self._on_outlines)
        self.score = QComboBox()
        self.score.addItem("nothing", None)
        self.score.setToolTip("What else is laid over the image")
        for score in SCORES.values():
            self.score.addItem(score.title, score.name)
            tooltip = Qt.ItemDataRole.ToolTipRole
            self.score.setItemData(self.score.count() - 1, score.tooltip, tooltip)
        self.score.currentIndexChanged.connect(self._on_score)
        add_field(form, "Overlay", self.score)
        self.add(self.outlines)
        self.reset_colors = button(
            "Model's colours",
            "Show the classes in the colours that the model gave them",
            self._reset,
        )
        self.add(self.reset_colors)
        controller.model_changed.connect(self._rebuild)
        controller.colors_changed.connect(self._recolor)
        controller.predicted.connect(self.legend.count_soon)
        legend = self.legend
        self.destroyed.connect(lambda: legend.stop())
        self._rebuild()

    def _rebuild(self) -> None:
        session = self._controller.session
        self.setEnabled(session is not None and session.checkpoint is not None)
        self.legend.show_session(session)
        self._recolor()
        if session is not None and session.checkpoint is not None:
            self._refresh_score(session.store)

    def _recolor(self) -> None:
        session = self._controller.session
        if session is not None and session.classes is not None:
            self.legend.recolor(session.classes)
        self.reset_colors.setVisible(session is not None and session.has_own_colors)

    def _on_color(self, label: int, color: str) -> None:
        session = self._controller.session
        if session is None:
            return
        try:
            session.set_class_color(label, color)
        except UserError as error:
            report(error)

    def _reset(self) -> None:
        session = self._controller.session
        if session is not None:
            session.reset_class_colors()

    def _refresh_score(self, store: PredictionStore | None) -> None:
        """Choose what is shown over the current image; grey out what was not kept."""
        layers, model = self._controller.current, self.score.model()
        with QSignalBlocker(self.score):
            shown = layers.shown_score if layers else None
            self.score.setCurrentIndex(self.score.findData(shown))
        for row, name in enumerate(SCORES, start=1):
            item = model.item(row) if isinstance(model, QStandardItemModel) else None
            if item is not None:
                item.setEnabled(store is not None and score_levels(store, name) is not None)

    def _on_opacity(self, percent: int) -> None:
        layers = self._controller.current
        if layers is not None and layers.prediction is not None:
            layers.prediction.opacity = percent / 100

    def _on_outlines(self, checked: bool) -> None:
        layers = self._controller.current
        if layers is not None and layers.prediction is not None:
            layers.prediction.contour = 2 if checked else 0

    def _on_score(self) -> None:
        layers, name = self._controller.current, self.score.currentData()
        if layers is None:
            return
        if name is None:
            layers.hide_score()
        else:
            layers.show_score(name)
