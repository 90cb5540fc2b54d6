"""The scrolled column of the panel's sections."""

from __future__ import annotations

from qtpy.QtCore import QEvent, QObject, Qt
from qtpy.QtWidgets import QFrame, QScrollArea, QVBoxLayout, QWidget

from napari_relay.widgets.timers import single_shot

_LAID_OUT_MS = 30
"""After this what was unfolded has its size."""


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
        self._revealed: QWidget | None = None
        self._soon = single_shot(self, _LAID_OUT_MS, self._reveal)

    def reveal(self, section: QWidget) -> None:
        """Scroll to a section, once what has just been unfolded in it has its size."""
        self._revealed = section
        self._soon.start()

    def _reveal(self) -> None:
        bar = self.verticalScrollBar()
        if bar is not None and self._revealed is not None:
            bar.setValue(min(self._revealed.y(), bar.maximum()))

    def eventFilter(self, watched: QObject | None, event: QEvent | None) -> bool:  # noqa: N802
        """Grow with what is unfolded."""
        inner, bar = self.widget(), self.verticalScrollBar()
        is_layout = event is not None and event.type() == QEvent.Type.LayoutRequest
        if is_layout and watched is inner and inner is not None and bar is not None:
            needed = inner.minimumSizeHint().width() + bar.sizeHint().width()
            self.setMinimumWidth(needed)
        return super().eventFilter(watched, event)
