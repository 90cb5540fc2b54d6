"""Painting corrections."""

from __future__ import annotations

from qtpy.QtCore import Qt, QTimer
from qtpy.QtWidgets import QAbstractButton, QButtonGroup, QGridLayout, QPushButton, QWidget
from superqt import QLabeledSlider
from superqt.utils import signals_blocked

from napari_relay.annotation import CorrectionStore
from napari_relay.annotation.values import IGNORED_COLOR
from napari_relay.training.correction_values import IGNORED, NOT_CLASS
from napari_relay.widgets.controller import RelayController
from napari_relay.widgets.correction_counter import CorrectionCounter
from napari_relay.widgets.paintable_labels import Labels
from napari_relay.widgets.region_tools import ACCEPT, IGNORE, LASSO, REFUSE, RELABEL
from napari_relay.widgets.sections.class_legend import swatch_icon
from napari_relay.widgets.sections.correction_files import CorrectionFiles
from napari_relay.widgets.sections.place_part import PlacePart
from napari_relay.widgets.sections.section import Section, add_field, button, note
from napari_relay.widgets.shortcuts import NEXT_CLASS, PREVIOUS_CLASS
from napari_relay.widgets.shown_levels import shown_label, stored_label
from relay_tokens import IGNORE_INDEX

_FOLLOW_MS = 500
_PAN = "pan_zoom"
_PICK = "pick"
_TOOLS = (
    ("Brush", "paint", "Paint with what is chosen: drag on the image"),
    ("Fill", "fill", "Fill a connected uncorrected area on screen with what is chosen"),
    ("Polygon", "polygon", "Click the corners, double-click to close the polygon"),
    ("Lasso", LASSO, "Draw round an area with the button held: all inside gets what is chosen"),
    ("Erase", "erase", "Take corrections away"),
    ("Pick", _PICK, "Click on a correction to choose what it says"),
    ("Move", _PAN, "Stop painting; drag and scroll move the image again"),
)
_REGION_TOOLS = (
    ("Accept", ACCEPT, "The prediction is right: click on an object, or draw round an area"),
    ("Relabel", RELABEL, "It is what is chosen above: click on an object, or draw round an area"),
    ("Not this", REFUSE, "It is not what is predicted: click on an object, or draw round an area"),
    ("Ignore", IGNORE, "Nobody can say what it is: click on an object, or draw round an area"),
)
_HANDS = {LASSO, ACCEPT, RELABEL, REFUSE, IGNORE}
_COLUMNS = 2
_TOOL_COLUMNS = 4


class CorrectionSection(Section):
    """Choose a class and a tool, and paint over what the model got wrong."""

    def __init__(self, controller: RelayController, parent: QWidget | None = None) -> None:
        super().__init__("Correct", parent)
        self._controller = controller
        self.places = PlacePart(controller)
        self.add(self.places)
        self.classes = QButtonGroup(self)
        self.classes.idClicked.connect(self._on_class)
        self._grid = self._add_grid()
        self.negate = button(
            "Not this class", "Say only what it is not: dimmer on the image", self._on_negate
        )
        self.negate.setCheckable(True)
        self.ignore = QPushButton("Ignore")
        self.ignore.setCheckable(True)
        self.ignore.setToolTip("Nobody can say what it is: neither learnt nor rehearsed there")
        self.ignore.setIcon(swatch_icon(IGNORED_COLOR[:7]))
        self.add_row(self.negate, self.ignore)
        self.tools = QButtonGroup(self)
        self._add_tools(_TOOLS)
        self.add(note("On the prediction:"))
        self._add_tools(_REGION_TOOLS)
        self.brush = QLabeledSlider(Qt.Orientation.Horizontal)
        self.brush.setRange(1, 200)
        self.brush.setValue(20)
        self.brush.setToolTip("Diameter of the brush, in pixels of the image")
        self.brush.valueChanged.connect(self._on_brush)
        add_field(self.add_form(), "Brush", self.brush)
        self.undo = button("Undo stroke", "Take back the last stroke (Ctrl+Z)", self._undo)
        self.redo = button("Redo", "Paint it again (Ctrl+Shift+Z)", self._redo)
        self.add_row(self.undo, self.redo)
        self.files = CorrectionFiles(controller)
        self.add(self.files)
        self.status = note()
        self.add(self.status)
        self.unsaved = note()
        self.unsaved.setStyleSheet("color: #d55e00; font-weight: bold")
        self.unsaved.hide()
        self.add(self.unsaved)
        self._corrections: CorrectionStore | None = None
        self.counter = CorrectionCounter(self)
        self.counter.counted.connect(self._tell)
        self._timer = QTimer(self)
        self._timer.setInterval(_FOLLOW_MS)
        self._timer.timeout.connect(self._follow)
        self._timer.start()
        controller.model_changed.connect(self._rebuild)
        controller.colors_changed.connect(self._recolor)
        controller.saving_changed.connect(self._tell_saving)
        self._rebuild()

    @property
    def value(self) -> int:
        """What is painted: a value of ``correction_values``."""
        chosen = self.classes.checkedId()
        return chosen + NOT_CLASS if self.negate.isChecked() and chosen < NOT_CLASS else chosen

    @property
    def tool(self) -> str:
        """Which tool is chosen: a mode of the layer, or the name of a hand."""
        chosen = self.tools.checkedButton()
        return str(chosen.property("mode")) if chosen is not None else _PAN

    def button_of(self, tool: str) -> QAbstractButton:
        """The button of a tool."""
        return next(made for made in self.tools.buttons() if made.property("mode") == tool)

    def choose(self, tool: str) -> None:
        """Choose a tool, as its button does."""
        if self.isEnabled():
            self.button_of(tool).click()

    def step_class(self, step: int) -> None:
        """Take another class in hand, so many places after the chosen one; round the end."""
        count = max(len(self.classes.buttons()) - 1, 1)
        chosen = self.classes.button((self.classes.checkedId() + step) % count)
        if chosen is not None:
            chosen.click()

    # --- making

    def _add_grid(self) -> QGridLayout:
        holder = QWidget()
        grid = QGridLayout(holder)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(5)
        self.add(holder)
        return grid

    def _add_tools(self, tools: tuple[tuple[str, str, str], ...]) -> None:
        grid = self._add_grid()
        for number, tool in enumerate(tools):
            row, column = divmod(number, _TOOL_COLUMNS)
            grid.addWidget(self._make_tool(*tool), row, column)

    def _make_tool(self, text: str, mode: str, tooltip: str) -> QPushButton:
        made = button(text, tooltip, lambda: self._use(mode))
        made.setCheckable(True)
        made.setProperty("mode", mode)
        self.tools.addButton(made)
        return made

    def _rebuild(self) -> None:
        for old in self.classes.buttons():
            self.classes.removeButton(old)
            if old is not self.ignore:
                self._grid.removeWidget(old)
                old.deleteLater()
        session = self._controller.session
        self._corrections = session.corrections if session is not None else None
        self.counter.watch(self._corrections)
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
        self.classes.addButton(self.ignore, IGNORED)
        self.classes.buttons()[0].setChecked(True)
        self._recolor()
        self._tell()

    def _recolor(self) -> None:
        session = self._controller.session
        if session is None or session.classes is None:
            return
        for made in self.classes.buttons():
            if made is not self.ignore:
                made.setIcon(swatch_icon(session.classes.colors[self.classes.id(made)]))

    # --- doing

    def _use(self, mode: str) -> None:
        layers = self._controller.current
        layer = layers.show_corrections() if layers is not None else None
        if layers is None or layer is None:
            return
        layer.brush_size = self.brush.value()
        layer.selected_label = shown_label(self.value)
        layer.hand = layers.tools.hand(mode) if mode in _HANDS else None
        layer.mode = _PICK if mode in _HANDS else mode

    def _on_class(self, value: int) -> None:
        if value == IGNORED:
            self.negate.setChecked(False)
        if self.tool in {_PAN, _PICK, "erase", ACCEPT, REFUSE, IGNORE}:
            self.tools.buttons()[0].setChecked(True)
        self._use(self.tool)

    def _on_negate(self) -> None:
        if self.ignore.isChecked():
            self.classes.buttons()[0].setChecked(True)
        self._on_class(self.classes.checkedId())

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

    # --- telling

    def _follow(self) -> None:
        """Show what was chosen in napari's own controls or by key, and what is painted."""
        layer = self._layer()
        if layer is None or not self.isVisible():
            return
        with signals_blocked(self.brush):
            self.brush.setValue(round(layer.brush_size))
        self._show_value(stored_label(layer.selected_label))
        if str(layer.mode) not in (_PICK, _PAN):
            layer.hand = None
        mode = layer.hand.name if layer.hand is not None else str(layer.mode)
        for tool in self.tools.buttons():
            if tool.property("mode") == mode:
                tool.setChecked(True)
        self.counter.count()

    def _show_value(self, value: int) -> None:
        if value == IGNORE_INDEX:
            return
        is_not = NOT_CLASS <= value < IGNORED
        if (chosen := self.classes.button(value - NOT_CLASS if is_not else value)) is not None:
            chosen.setChecked(True)
            self.negate.setChecked(is_not)

    def _tell(self) -> None:
        self.status.setText(self.counter.sentence)

    def _tell_saving(self, trouble: str) -> None:
        self.unsaved.setText(trouble)
        self.unsaved.setVisible(bool(trouble))
