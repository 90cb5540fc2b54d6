"""Values as a list of bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from qtpy.QtCore import QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen
from qtpy.QtWidgets import QSizePolicy, QWidget

_MARGIN = 4
_GAP = 6
_THICKNESS = 0.55
"""Of a row's height."""
_WIDEST_NAME = 0.45
"""Of the whole width; longer names are cut short with an ellipsis."""
_TRACK = 0.12
"""Opacity of a bar's whole length, in the colour of the text."""


@dataclass(frozen=True)
class Bar:
    """One row."""

    name: str
    """Written before the bar."""
    length: float
    """0 ... 1 of the room there is."""
    value: str
    """Written behind the bar."""
    color: str | None = None
    """``#rrggbb``; None: the theme's own for what is chosen."""


class BarList(QWidget):
    """Draws bars under each other, in the colours of the theme.

    Painting of its own instead of a plotting library, as in
    :class:`~napari_relay.widgets.sections.loss_curve.LossCurve`.
    """

    def __init__(self, tooltip: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._bars: tuple[Bar, ...] = ()
        self._mark: float | None = None
        self.setToolTip(tooltip)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    @property
    def bars(self) -> tuple[Bar, ...]:
        """What is drawn, from the top."""
        return self._bars

    @property
    def mark(self) -> float | None:
        """Where a line crosses all bars, 0 ... 1 of their room."""
        return self._mark

    def show_bars(self, bars: Sequence[Bar], mark: float | None = None) -> None:
        """Draw these, and a line through all of them at ``mark``."""
        self._bars, self._mark = tuple(bars), mark
        self.setAccessibleDescription(", ".join(f"{bar.name} {bar.value}" for bar in bars))
        self.setFixedHeight(round(len(bars) * self._row) if bars else 0)
        self.update()

    @property
    def _row(self) -> float:
        return self.fontMetrics().height() * 1.25

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Draw names, bars and values."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        left, right = self._room()
        for index, bar in enumerate(self._bars):
            self._draw(painter, bar, QRectF(left, index * self._row, right - left, self._row))
        if self._mark is not None and self._bars:
            x = left + self._mark * (right - left)
            pen = QPen(self.palette().color(QPalette.ColorRole.WindowText), 1)
            pen.setStyle(Qt.PenStyle.DashLine)
            painter.setPen(pen)
            painter.drawLine(round(x), 0, round(x), self.height())
        painter.end()

    def _room(self) -> tuple[float, float]:
        """Where bars begin and end, in pixels."""
        metrics = self.fontMetrics()
        names = max((metrics.horizontalAdvance(bar.name) for bar in self._bars), default=0)
        values = max((metrics.horizontalAdvance(bar.value) for bar in self._bars), default=0)
        left = _MARGIN + min(names, self.width() * _WIDEST_NAME) + _GAP
        return left, max(self.width() - values - _GAP, left)

    def _draw(self, painter: QPainter, bar: Bar, room: QRectF) -> None:
        palette = self.palette()
        text = palette.color(QPalette.ColorRole.WindowText)
        thick = room.height() * _THICKNESS
        track = QRectF(room.left(), room.center().y() - thick / 2, room.width(), thick)
        faint = QColor(text)
        faint.setAlphaF(_TRACK)
        painter.fillRect(track, faint)
        full = QRectF(track)
        full.setWidth(track.width() * min(max(bar.length, 0), 1))
        chosen = palette.color(QPalette.ColorRole.Highlight)
        painter.fillRect(full, QColor(bar.color) if bar.color else chosen)
        painter.setPen(text)
        across = Qt.AlignmentFlag.AlignVCenter
        before = QRectF(_MARGIN, room.top(), room.left() - _MARGIN - _GAP, room.height())
        name = self.fontMetrics().elidedText(
            bar.name, Qt.TextElideMode.ElideRight, int(before.width()) + 1
        )
        painter.drawText(before, across | Qt.AlignmentFlag.AlignLeft, name)
        behind = QRectF(room.right(), room.top(), self.width() - room.right(), room.height())
        painter.drawText(behind, across | Qt.AlignmentFlag.AlignRight, bar.value)
