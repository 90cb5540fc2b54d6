"""A row of the start page: something that was worked on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from qtpy.QtCore import QSize, Qt
from qtpy.QtGui import QFontMetrics
from qtpy.QtWidgets import QHBoxLayout, QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

WIDTH = 660
"""Of the page's column, in pixels."""


@dataclass(frozen=True)
class RecentItem:
    """What a row says."""

    name: str
    """What it is."""
    place: str
    """Where it lies, or that it is gone."""
    tooltip: str
    """The same in full."""
    is_there: bool
    """Whether it can be opened."""
    forget: str
    """What the button does that takes it off the list."""


class RecentRow(QWidget):
    """Something of a list: its name, where it lies, and a button that takes it off."""

    def __init__(
        self, item: RecentItem, opened: Callable[[], object], forgotten: Callable[[], object]
    ) -> None:
        super().__init__()
        self.open = QPushButton(elided(item.name, self, WIDTH // 3))
        self.open.setFlat(True)
        self.open.setEnabled(item.is_there)
        self.open.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.open.clicked.connect(lambda: _call(opened))
        self.place = QLabel(elided(item.place, self, WIDTH // 2))
        self.place.setEnabled(item.is_there)
        self.place.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.forget = QToolButton()
        self.forget.setText("✕")
        self.forget.setAutoRaise(True)
        self.forget.setToolTip(item.forget)
        self.forget.clicked.connect(lambda: _call(forgotten))
        self.setToolTip(item.tooltip)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.open)
        row.addWidget(self.place, 1)
        row.addWidget(self.forget)

    def sizeHint(self) -> QSize:  # noqa: N802  (Qt's name)
        """As wide as the page lets it be."""
        return QSize(WIDTH, super().sizeHint().height())


def elided(text: str, widget: QWidget, width: int) -> str:
    """A text that is at most so many pixels wide, cut in its middle."""
    return QFontMetrics(widget.font()).elidedText(text, Qt.TextElideMode.ElideMiddle, width)


def _call(function: Callable[[], object]) -> None:
    function()
