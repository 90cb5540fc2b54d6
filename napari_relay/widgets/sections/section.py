"""A titled part of the panel."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)


class Section(QFrame):
    """A bold title over what belongs to one step of the work."""

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        heading = QLabel(title, self)
        font = heading.font()
        font.setBold(True)
        font.setPointSizeF(font.pointSizeF() * 1.1)
        heading.setFont(font)
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 2, 0, 6)
        self._column.setSpacing(5)
        self._column.addWidget(heading)

    def add(self, widget: QWidget) -> None:
        """Add a widget over the whole width."""
        self._column.addWidget(widget)

    def add_row(self, *widgets: QWidget) -> None:
        """Add widgets side by side, equally wide."""
        row = QHBoxLayout()
        row.setSpacing(5)
        for widget in widgets:
            row.addWidget(widget, 1)
        self._column.addLayout(row)

    def add_form(self) -> QFormLayout:
        """Add rows of a label and a field."""
        form = QFormLayout()
        form.setContentsMargins(0, 0, 0, 0)
        form.setSpacing(5)
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.setLabelAlignment(Qt.AlignmentFlag.AlignLeft)
        self._column.addLayout(form)
        return form


def add_field(form: QFormLayout, label: str, field: QWidget) -> None:
    """Add a field to a form, as wide as there is room, however long its texts."""
    field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    form.addRow(label, field)


class WheelGuard(QObject):
    """Lets the wheel scroll the panel, not change the field that passes under it."""

    def guard(self, panel: QWidget) -> None:
        """Guard every field of a panel that has no keyboard focus."""
        for kind in (QComboBox, QAbstractSpinBox, QAbstractSlider):
            for field in panel.findChildren(kind):
                field.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
                field.installEventFilter(self)

    def eventFilter(self, field: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Leave wheel events of fields without focus to the panel."""
        if event is None or event.type() != QEvent.Type.Wheel:
            return False
        if isinstance(field, QWidget) and field.hasFocus():
            return False
        event.ignore()
        return True


def button(text: str, tooltip: str, clicked: Callable[[], object]) -> QPushButton:
    """Make a button that says what it does."""
    made = QPushButton(text)
    made.setToolTip(tooltip)
    made.clicked.connect(lambda: _call(clicked))
    return made


def _call(function: Callable[[], object]) -> None:
    function()


def note(text: str = "") -> QLabel:
    """Make a line or more of text that wraps and can be copied."""
    made = QLabel(text)
    made.setWordWrap(True)
    made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made
