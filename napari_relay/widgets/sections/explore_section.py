"""What the colours mean, and how much there is of each class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QSignalBlocker, Qt, QTimer
from qtpy.QtGui import QColor, QPixmap, QStandardItemModel
from qtpy.QtWidgets import QCheckBox, QComboBox, QFormLayout, QHBoxLayout, QLabel, QWidget
from superqt import QLabeledSlider

from napari_relay.inference import PredictionStore
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.score_overlay import SCORES, score_levels
from napari_relay.widgets.sections.section import Section, add_field
from relay_tokens import IGNORE_INDEX

_REFRESH_MS = 1000


class ExploreSection(Section):
    """Legend with class shares, opacity of the mask, and what else is known of each pixel."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Explore", parent)
        self._controller = controller
        self._legend = self.add_form()
        self._shares: list[QLabel] = []
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
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_REFRESH_MS)
        self._timer.timeout.connect(self._refresh_shares)
        controller.model_changed.connect(self._rebuild)
        controller.predicted.connect(self._on_predicted)
        self._rebuild()

    def _rebuild(self) -> None:
        while self._legend.rowCount():
            self._legend.removeRow(0)
        self._shares = []
        session = self._controller.session
        self.setEnabled(session is not None and session.checkpoint is not None)
        if session is None or session.checkpoint is None:
            return
        for one in session.checkpoint.metadata.classes:
            share = QLabel("–")
            self._shares.append(share)
            add_legend_row(self._legend, one.color, one.name, share)
        self._refresh_shares()
        self._refresh_score(session.store)

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

    def _on_predicted(self, _result: object) -> None:
        if not self._timer.isActive():
            self._timer.start()

    def _refresh_shares(self) -> None:
        session = self._controller.session
        if session is None or session.store is None:
            return
        shares = class_shares(session.store)
        for label, share in zip(self._shares, shares, strict=True):
            label.setText("–" if np.isnan(share) else f"{share:.1%}")

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


def add_legend_row(form: QFormLayout, color: str, name: str, value: QLabel) -> None:
    """Add a colour, a class name and a value."""
    swatch = QPixmap(14, 14)
    swatch.fill(QColor(color))
    picture = QLabel()
    picture.setPixmap(swatch)
    row = QWidget()
    line = QHBoxLayout(row)
    line.setContentsMargins(0, 0, 0, 0)
    line.addWidget(QLabel(name))
    line.addStretch(1)
    line.addWidget(value)
    form.addRow(picture, row)


def class_shares(store: PredictionStore) -> NDArray[np.float64]:
    """Share of each class in what is predicted, from the coarsest level; NaN before."""
    counts = np.bincount(np.asarray(store.labels[-1]).ravel(), minlength=IGNORE_INDEX + 1)
    classes = counts[: len(store.classes)].astype(float)
    total = classes.sum()
    return classes / total if total else np.full(len(classes), np.nan)
