"""What the classes of a file mean: a row with a choice for each."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QComboBox, QGridLayout, QLabel, QWidget

from napari_relay.annotation.values import value_colors
from napari_relay.training.correction_values import IGNORED, NOT_CLASS, value_names
from napari_relay.training.imported import LEAVE_OUT, ClassMapping, FoundClass
from napari_relay.widgets.sections.class_legend import swatch_icon
from napari_relay.widgets.sections.section import WheelGuard
from relay_tokens import ClassSchema

_SWATCH = 14
_UNKNOWN = "Choose what it is"


class ClassTable(QWidget):
    """Name, number and colour of each class of a file, and beside it what it means.

    Parameters
    ----------
    schema
        The classes that can be chosen.
    """

    changed = Signal()
    """A person chose what a class means."""

    def __init__(self, schema: ClassSchema, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._schema = schema
        self._found: tuple[FoundClass, ...] = ()
        self._guard = WheelGuard(self)
        self.choices: dict[str, QComboBox] = {}
        self._grid = QGridLayout(self)
        self._grid.setHorizontalSpacing(10)
        self._grid.setVerticalSpacing(4)
        self._grid.setColumnStretch(1, 1)
        self._grid.setColumnStretch(3, 1)

    @property
    def mapping(self) -> ClassMapping:
        """What is chosen so far."""
        chosen = {key: box.currentData() for key, box in self.choices.items()}
        return ClassMapping({key: value for key, value in chosen.items() if value is not None})

    @property
    def missing(self) -> tuple[FoundClass, ...]:
        """Classes of which nothing is chosen yet."""
        return self.mapping.missing(self._found)

    def show_classes(self, found: Sequence[FoundClass], unit: str) -> None:
        """Show a file's classes, each with what it most likely means."""
        self._clear()
        self._found = tuple(found)
        if found:
            for place, text in ((1, "In the file"), (2, unit.capitalize()), (3, "Is imported as")):
                self._grid.addWidget(_heading(text, right=place == 2), 0, place)
        for row, one in enumerate(found, 1):
            self._add_row(row, one, unit)
        self._grid.setRowStretch(len(found) + 1, 1)
        self._guard.guard(self)

    def _add_row(self, row: int, one: FoundClass, unit: str) -> None:
        if one.color is not None:
            swatch = QLabel()
            swatch.setPixmap(swatch_icon(one.color).pixmap(_SWATCH, _SWATCH))
            self._grid.addWidget(swatch, row, 0)
        name = QLabel(one.title)
        name.setTextFormat(Qt.TextFormat.PlainText)
        name.setWordWrap(True)
        count = QLabel(f"{one.count:,}")
        choice = self._choice(one)
        choice.setAccessibleName(f"{one.title}, {one.count} {unit}, is imported as")
        self._grid.addWidget(name, row, 1)
        self._grid.addWidget(count, row, 2, Qt.AlignmentFlag.AlignRight)
        self._grid.addWidget(choice, row, 3)
        self.choices[one.key] = choice

    def _choice(self, one: FoundClass) -> QComboBox:
        """All that a class may mean, with the suggestion chosen."""
        box, colors = QComboBox(), value_colors(self._schema)
        box.setPlaceholderText(_UNKNOWN)
        for value, name in value_names(self._schema).items():
            if value in (NOT_CLASS, IGNORED):
                box.insertSeparator(box.count())
            text = name if value < IGNORED else "Ignored: nobody can say"
            box.addItem(swatch_icon(colors[value][:7]), text, value)
        box.addItem("Leave out", LEAVE_OUT)
        known = -1 if one.suggested is None else box.findData(one.suggested)
        box.setCurrentIndex(known)
        box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        box.setMinimumContentsLength(len(_UNKNOWN))
        box.currentIndexChanged.connect(lambda _index: self.changed.emit())
        return box

    def _clear(self) -> None:
        self.choices = {}
        while (item := self._grid.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()


def _heading(text: str, *, right: bool) -> QLabel:
    made = QLabel(text)
    made.setStyleSheet("font-weight: bold")
    if right:
        made.setAlignment(Qt.AlignmentFlag.AlignRight)
    return made
