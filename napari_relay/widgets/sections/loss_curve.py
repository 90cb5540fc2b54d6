"""A small live curve."""

from __future__ import annotations

from qtpy.QtCore import QPointF, QRectF
from qtpy.QtGui import QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qtpy.QtWidgets import QSizePolicy, QWidget

_MARGIN = 6
_TEXT = 10


class LossCurve(QWidget):
    """Draws values against their number, as they arrive.

    A dozen lines of painting instead of a plotting library: it must not slow
    the image down, and follows the theme by itself.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._values: list[float] = []
        self.setFixedHeight(72)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Loss of the fine-tuning against its steps; lower is better")

    @property
    def values(self) -> tuple[float, ...]:
        """What is drawn."""
        return tuple(self._values)

    def clear(self) -> None:
        """Begin anew."""
        self._values.clear()
        self.update()

    def append(self, value: float) -> None:
        """Add the next value."""
        self._values.append(value)
        self.update()

    def paintEvent(self, _event: QPaintEvent | None) -> None:  # noqa: N802  (Qt's name)
        """Draw the curve, from 0 to the largest value."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        text = self.palette().color(QPalette.ColorRole.WindowText)
        area = QRectF(self.rect()).adjusted(_MARGIN, _MARGIN, -_MARGIN, -_MARGIN)
        painter.setPen(QPen(text, 0.5))
        painter.drawLine(area.bottomLeft(), area.bottomRight())
        if len(self._values) > 1:
            painter.setPen(QPen(text, 1.5))
            painter.drawPolyline(self._polyline(area.adjusted(0, _TEXT, 0, 0)))
            painter.drawText(area.topLeft() + QPointF(0, _MARGIN), f"loss {self._values[-1]:.3f}")
        painter.end()

    def _polyline(self, area: QRectF) -> QPolygonF:
        top = max(max(self._values), 1e-9)
        step = area.width() / (len(self._values) - 1)
        return QPolygonF(
            QPointF(area.left() + i * step, area.bottom() - v / top * area.height())
            for i, v in enumerate(self._values)
        )
