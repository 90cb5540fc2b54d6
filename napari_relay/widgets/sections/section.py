"""A titled part of the panel."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtGui import QCursor
from qtpy.QtWidgets import (
    QAbstractSlider,
    QAbstractSpinBox,
    QApplication,
    QComboBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QToolTip,
    QVBoxLayout,
    QWidget,
)

_HEADING = (
    "QToolButton { font-size: 11pt; font-weight: bold; padding: 2px }"
    "QToolButton, QToolButton:checked { background: transparent }"
)
_READABLE_GREY = "QLabel:disabled { color: gray }"
"""Less faint than napari's own grey, on light and on dark: it is there to be read."""
FOLDED = "napari-relay folded sections"
"""Property of the application that holds the titles of the folded sections."""


class Section(QFrame):
    """A bold title over what belongs to one step of the work; a click on it folds that away.

    While the section is disabled it is folded, and a sentence beside the title
    says why. Whether a person folded it is remembered while the app lives.
    """

    def __init__(self, title: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = title
        self.heading = _heading(title)
        self.heading.toggled.connect(self._on_toggled)
        self._reason = ""
        self._locked = ""
        self.reason = QLabel()
        self.reason.setStyleSheet(_READABLE_GREY)
        self.body = QWidget()
        self._column = QVBoxLayout(self.body)
        self._column.setContentsMargins(2, 2, 0, 6)
        self._column.setSpacing(5)
        whole = QVBoxLayout(self)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(0)
        top = QHBoxLayout()
        top.addWidget(self.heading)
        top.addStretch(1)
        top.addWidget(self.reason)
        whole.addLayout(top)
        whole.addWidget(self.body)
        self.heading.setChecked(title not in _folded_titles())
        self._fold()

    def explain(self, reason: str) -> None:
        """Say in a few words what is needed first; shown while the section is disabled."""
        self._reason = reason
        self._fold()

    def lock(self, reason: str) -> None:
        """Let nothing in the section be used, and say why over each part; empty: unlock."""
        self._locked = reason
        self.body.setEnabled(not reason)
        for widget in self.body.findChildren(QWidget):
            widget.removeEventFilter(self)
            if reason:
                widget.installEventFilter(self)

    def eventFilter(self, widget: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Say why a part is locked in place of what it does."""
        if event is None or event.type() != QEvent.Type.ToolTip or not self._locked:
            return super().eventFilter(widget, event)
        QToolTip.showText(QCursor.pos(), self._locked)
        return True

    def changeEvent(self, event: QEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Fold what cannot be used, and open it again."""
        super().changeEvent(event)
        if event is not None and event.type() == QEvent.Type.EnabledChange:
            self._fold()

    def _on_toggled(self, is_open: bool) -> None:
        _remember_folded(self.title, not is_open)
        self._fold()

    def _fold(self) -> None:
        usable = self.isEnabled()
        is_open = usable and self.heading.isChecked()
        down, right = Qt.ArrowType.DownArrow, Qt.ArrowType.RightArrow
        self.heading.setArrowType(down if is_open else right)
        self.reason.setText("" if usable else self._reason)
        self.body.setVisible(is_open)

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


def _heading(title: str) -> QToolButton:
    """A title that can be clicked."""
    made = QToolButton()
    made.setText(title)
    made.setCheckable(True)
    made.setAutoRaise(True)
    made.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    # What is open needs no colour of its own: the arrow shows it.
    made.setStyleSheet(_HEADING)
    return made


def _folded_titles() -> set[str]:
    """Titles of the folded sections; kept by the app, which outlives any panel."""
    app = QApplication.instance()
    return set(app.property(FOLDED) or ()) if app is not None else set()


def _remember_folded(title: str, folded: bool) -> None:
    app = QApplication.instance()
    if app is not None:
        titles = _folded_titles()
        app.setProperty(FOLDED, sorted(titles | {title} if folded else titles - {title}))


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
