"""What the colours mean, how much there is of each class, and how the colours are changed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import Qt, QTimer, Signal
from qtpy.QtGui import QColor, QIcon, QPixmap
from qtpy.QtWidgets import QColorDialog, QGridLayout, QLabel, QToolButton, QWidget

from napari_relay.images.areas import area_text
from napari_relay.inference.class_counts import ClassCounts
from napari_relay.session import Session
from napari_relay.widgets.jobs import JobRunner
from relay_tokens import ClassSchema

_COUNT_MS = 1000
"""How often newly predicted tiles are counted."""
_SWATCH = 14
_UNKNOWN = "–"


class ClassLegend(QWidget):
    """A row for each class: its colour, a button that changes it, its name, area and share."""

    color_chosen = Signal(int, str)
    """A class label and the colour, ``#rrggbb``, that a person gave it."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(8)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        self.swatches: list[QToolButton] = []
        self.areas: list[QLabel] = []
        self.shares: list[QLabel] = []
        self._session: Session | None = None
        self._counts: ClassCounts | None = None
        self._jobs = JobRunner(self)
        self._jobs.advanced.connect(self._show)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_COUNT_MS)
        self._timer.timeout.connect(self._count)

    @property
    def counting(self) -> bool:
        """Whether tiles are being counted, or soon will be."""
        return self._jobs.running or self._timer.isActive()

    def show_session(self, session: Session | None) -> None:
        """Show the classes of a session's model, and count its prediction from the start."""
        self.stop()
        self._session = session
        self._counts = None
        self._clear()
        if session is None or session.classes is None or session.store is None:
            return
        self._counts = ClassCounts(session.store)
        self._fill(session.classes)
        self._count()

    def recolor(self, classes: ClassSchema) -> None:
        """Show other colours of the same classes."""
        for swatch, color in zip(self.swatches, classes.colors, strict=True):
            swatch.setIcon(swatch_icon(color))

    def count_soon(self) -> None:
        """Tiles have arrived: count them within a second."""
        if self._counts is not None and not self._timer.isActive():
            self._timer.start()

    def stop(self) -> None:
        """Count no more."""
        self._timer.stop()
        self._jobs.cancel()

    def _clear(self) -> None:
        while (item := self._grid.takeAt(0)) is not None:
            if (widget := item.widget()) is not None:
                widget.hide()
                widget.deleteLater()
        self.swatches, self.areas, self.shares = [], [], []

    def _fill(self, classes: ClassSchema) -> None:
        for row, one in enumerate(classes):
            swatch = self._swatch(row, one.name)
            swatch.setIcon(swatch_icon(one.color))
            name, area, share = QLabel(one.name), QLabel(_UNKNOWN), QLabel(_UNKNOWN)
            name.setToolTip(one.name)
            for number in (area, share):
                number.setAlignment(Qt.AlignmentFlag.AlignRight)
            for column, widget in enumerate((swatch, name, area, share)):
                self._grid.addWidget(widget, row, column)
            self.swatches.append(swatch)
            self.areas.append(area)
            self.shares.append(share)

    def _swatch(self, label: int, name: str) -> QToolButton:
        swatch = QToolButton()
        swatch.setAutoRaise(True)
        swatch.setToolTip(f"Change the colour of {name}")
        swatch.clicked.connect(lambda: self._ask_color(label))
        return swatch

    def _ask_color(self, label: int) -> None:
        classes = self._session.classes if self._session is not None else None
        if classes is None:
            return
        title = f"Colour of {classes.names[label]}"
        color = QColorDialog.getColor(QColor(classes.colors[label]), self, title)
        if color.isValid():
            self.color_chosen.emit(label, color.name())

    def _count(self) -> None:
        counts = self._counts
        if counts is None:
            return
        if self._jobs.running:
            self._timer.start()
            return

        def run() -> Iterator[tuple[ClassCounts, NDArray[np.int64]]]:
            for pixels in counts.count_new():
                yield counts, pixels

        self._jobs.start("Counting classes", run)

    def _show(self, counted: tuple[ClassCounts, NDArray[np.int64]]) -> None:
        counts, pixels = counted
        if counts is not self._counts or self._session is None:
            return
        total = max(int(pixels.sum()), 1)
        for area, share, count in zip(self.areas, self.shares, pixels, strict=True):
            area.setText(area_text(int(count), self._session.image))
            share.setText(f"{count / total:.1%}")


def swatch_icon(color: str) -> QIcon:
    """A square of a class's colour."""
    picture = QPixmap(_SWATCH, _SWATCH)
    picture.fill(QColor(color))
    return QIcon(picture)
