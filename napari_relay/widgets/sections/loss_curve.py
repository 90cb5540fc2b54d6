"""A small live curve."""

from __future__ import annotations

from typing import NamedTuple

from qtpy.QtCore import QPointF, QRectF
from qtpy.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

_MARGIN = 6
_TEXT = 12
_GAP = 12
"""Pixels between two names."""
_COLORS = {"corrections": "#2e9e5b", "training data": "#3f7fbf"}


class _Point(NamedTuple):
    """A score at a step."""

    step: int
    """0: before the first one."""
    value: float
    """0 to 1."""


class LossCurve(QWidget):
    """Draws the loss against the steps as they arrive, and scores now and then.

    A dozen lines of painting instead of a plotting library: it must not slow
    the image down, and follows the theme by itself.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[float] = []
        self._scores: dict[str, list[_Point]] = {}
        self.setFixedHeight(84)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Against the steps: the loss (lower is better), and mIoU on corrections and on the "
            "model's own training data (higher is better)"
        )

    @property
    def values(self) -> tuple[float, ...]:
        """Losses that are drawn."""
        return tuple(self._values)

    def scores(self, name: str) -> tuple[float, ...]:
        """Scores that are drawn: of ``corrections`` or ``training data``."""
        return tuple(point.value for point in self._scores.get(name, ()))

    def clear(self) -> None:
        """Begin anew."""
        self._values.clear()
        self._scores.clear()
        self.update()

    def append(self, value: float) -> None:
        """Add the next loss."""
        self._values.append(value)
        self.update()

    def mark(self, name: str, step: int, value: float) -> None:
        """Add a score, 0 to 1, after a step; one that is no number is left out."""
        if value == value:
            self._scores.setdefault(name, []).append(_Point(step, value))
            self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Draw the loss from 0 to the largest one, and scores from 0 to 1."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        area = QRectF(self.rect()).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        painter.setPen(QPen(text, 0.5))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        below, names = area.adjusted(0, _TEXT, 0, 0), list[tuple[QColor, str]]()
        if len(self._values) > 1:
            top = max(max(self._values), 1e-9)
            points = [_Point(i, v / top) for i, v in enumerate(self._values, start=1)]
            self._draw(painter, text, below, points)
            names.append((text, f"loss {self._values[-1]:.2f}"))
        for name, scores in self._scores.items():
            color = QColor(_COLORS.get(name, "gray"))
            self._draw(painter, color, below, scores, dots=True)
            names.append((color, f"{name} {scores[-1].value:.2f}"))
        self._write(painter, area, names)
        painter.end()

    def _draw(
        self,
        painter: QPainter,
        color: QColor,
        area: QRectF,
        points: list[_Point],
        dots: bool = False,
    ) -> None:
        painter.setPen(QPen(color, 1.5))
        right, up = area.width() / max(len(self._values), 1), area.height()
        placed = [QPointF(area.left() + k * right, area.bottom() - v * up) for k, v in points]
        painter.drawPolyline(QPolygonF(placed))
        for point in placed if dots else ():
            painter.drawEllipse(point, 2, 2)

    def _write(self, painter: QPainter, area: QRectF, names: list[tuple[QColor, str]]) -> None:
        """Write what the curves are, side by side."""
        left = 0.0
        for color, name in names:
            painter.setPen(QPen(color, 1))
            painter.drawText(area.topLeft() + QPointF(left, _MARGIN), name)
            left += painter.fontMetrics().horizontalAdvance(name) + _GAP
