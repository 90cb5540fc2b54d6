"""The scrolled column of the panel's sections."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget


class Column(QScrollArea):
    """Sections one below the other; never narrower than the widest of them.

    It scrolls up and down alone, so what is too wide would be cut off.

    Parameters
    ----------
    sections
        From top to bottom.
    """

    def __init__(self, sections: tuple[QWidget, ...], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        inner = QWidget()
        column = QVBoxLayout(inner)
        column.setContentsMargins(8, 4, 8, 8)
        column.setSpacing(3)
        for section in sections:
            column.addWidget(section)
        column.addStretch(1)
        self.setWidget(inner)

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Grow with what is unfolded."""
        inner, bar = self.widget(), self.verticalScrollBar()
        is_layout = event is not None and event.type() == QEvent.Type.LayoutRequest
        if is_layout and watched is inner and inner is not None and bar is not None:
            needed = inner.minimumSizeHint().width() + bar.sizeHint().width()
            self.setMinimumWidth(needed)
        return super().eventFilter(watched, event)
