"""Painting corrections."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QButtonGroup, QGridLayout, QPushButton, QWidget
from superqt import QLabeledSlider
from superqt.utils import signals_blocked

from napari_relay.annotation import CorrectionStore
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.paintable_labels import Labels
from napari_relay.widgets.sections.class_legend import swatch_icon
from napari_relay.widgets.sections.section import Section, add_field, button, note
from napari_relay.widgets.shortcuts import NEXT_CLASS, PREVIOUS_CLASS

_FOLLOW_MS = 500
_PAN = "pan_zoom"
_TOOLS = (
    ("Brush", "paint", "Paint with the chosen class: drag on the image"),
    ("Fill", "fill", "Fill a connected uncorrected area on screen with the chosen class"),
    ("Polygon", "polygon", "Click the corners, double-click to close the polygon"),
    ("Erase", "erase", "Take corrections away"),
    ("Move", _PAN, "Stop painting; drag and scroll move the image again"),
)
_COLUMNS = 2


class CorrectionSection(Section):
    """Choose a class and a tool, and paint over what the model got wrong."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Correct", parent)
        self._controller = controller
        self.classes = QButtonGroup(self)
        self.classes.idClicked.connect(self._on_class)
        grid = QWidget()
        self._grid = QGridLayout(grid)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setSpacing(5)
        self.add(grid)
        self.tools = QButtonGroup(self)
        self.add_row(*(self._make_tool(*tool) for tool in _TOOLS))
        self.brush = QLabeledSlider(Qt.Orientation.Horizontal)
        self.brush.setRange(1, 200)
        self.brush.setValue(20)
        self.brush.setToolTip("Diameter of the brush, in pixels of the image")
        self.brush.valueChanged.connect(self._on_brush)
        add_field(self.add_form(), "Brush", self.brush)
        self.undo = button("Undo stroke", "Take back the last stroke (Ctrl+Z)", self._undo)
        self.redo = button("Redo", "Paint it again (Ctrl+Shift+Z)", self._redo)
        self.add_row(self.undo, self.redo)
        self.status = note()
        self.add(self.status)
        self._corrections: CorrectionStore | None = None
        self._is_counted = True
        self._timer = QTimer(self)
        self._timer.setInterval(_FOLLOW_MS)
        self._timer.timeout.connect(self._follow)
        self._timer.start()
        controller.model_changed.connect(self._rebuild)
        controller.colors_changed.connect(self._recolor)
        self._rebuild()

    def _make_tool(self, text: str, mode: str, tooltip: str) -> QPushButton:
        made = button(text, tooltip, lambda: self._use(mode))
        made.setCheckable(True)
        made.setProperty("mode", mode)
        self.tools.addButton(made)
        return made

    def _rebuild(self) -> None:
        for old in self.classes.buttons():
            self.classes.removeButton(old)
            self._grid.removeWidget(old)
            old.deleteLater()
        session = self._controller.session
        self._watch(session.corrections if session is not None else None)
        self.setEnabled(self._corrections is not None)
        if self._corrections is None:
            self.status.setText("")
            return
        for index, one in enumerate(self._corrections.schema):
            made = QPushButton(one.name)
            made.setCheckable(True)
            made.setToolTip(
                f"Paint {one.name} ({NEXT_CLASS.label} and {PREVIOUS_CLASS.label} step through)"
            )
            self.classes.addButton(made, index)
            self._grid.addWidget(made, index // _COLUMNS, index % _COLUMNS)
        self.classes.buttons()[0].setChecked(True)
        self._recolor()
        self._tell()

    def _recolor(self) -> None:
        session = self._controller.session
        if session is None or session.classes is None:
            return
        for made in self.classes.buttons():
            made.setIcon(swatch_icon(session.classes.colors[self.classes.id(made)]))

    def _watch(self, corrections: CorrectionStore | None) -> None:
        if self._corrections is not None:
            self._corrections.pyramid.changed.disconnect(self._on_painted)
        self._corrections = corrections
        if corrections is not None:
            corrections.pyramid.changed.connect(self._on_painted)

    def _on_painted(self) -> None:
        self._is_counted = False

    def _use(self, mode: str) -> None:
        layers = self._controller.current
        layer = layers.show_corrections() if layers is not None else None
        if layer is not None:
            layer.brush_size = self.brush.value()
            layer.selected_label = self.classes.checkedId() + 1
            layer.mode = mode

    def step_class(self, step: int) -> None:
        """Take another class in hand, so many places after the chosen one; round the end."""
        count = max(len(self.classes.buttons()), 1)
        chosen = self.classes.button((self.classes.checkedId() + step) % count)
        if chosen is not None:
            chosen.click()

    def _on_class(self, _index: int) -> None:
        tool = self.tools.checkedButton()
        mode = tool.property("mode") if tool is not None else _PAN
        if mode in {_PAN, "erase"}:
            self.tools.buttons()[0].setChecked(True)
            mode = "paint"
        self._use(mode)

    def _on_brush(self, size: int) -> None:
        if (layer := self._layer()) is not None:
            layer.brush_size = size

    def _undo(self) -> None:
        if (layer := self._layer()) is not None:
            layer.undo()

    def _redo(self) -> None:
        if (layer := self._layer()) is not None:
            layer.redo()

    def _layer(self) -> Labels | None:
        layers = self._controller.current
        return layers.corrections if layers is not None else None

    def _follow(self) -> None:
        """Show what was chosen in napari's own controls or by key, and what is painted."""
        layer = self._layer()
        if layer is None or not self.isVisible():
            return
        with signals_blocked(self.brush):
            self.brush.setValue(round(layer.brush_size))
        if (chosen := self.classes.button(layer.selected_label - 1)) is not None:
            chosen.setChecked(True)
        for tool in self.tools.buttons():
            if tool.property("mode") == str(layer.mode):
                tool.setChecked(True)
        if not self._is_counted:
            self._tell()

    def _tell(self) -> None:
        if self._corrections is None:
            return
        self._is_counted = True
        counts = self._corrections.class_counts()
        painted = [
            f"{name} {count:,} px".replace(",", "\u2009")
            for name, count in zip(self._corrections.schema.names, counts, strict=True)
            if count
        ]
        self.status.setText("Corrected: " + ", ".join(painted) if painted else "Nothing corrected.")
