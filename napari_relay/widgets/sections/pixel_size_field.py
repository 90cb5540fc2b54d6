"""A field for the pixel size of an image whose file does not say it."""

from __future__ import annotations

from qtpy.QtCore import Signal
from qtpy.QtWidgets import QComboBox, QDoubleSpinBox, QHBoxLayout, QWidget

from napari_relay.widgets.sections.section import button

_UNITS = (("µm", "um"), ("m", "m"))
_SMALLEST, _LARGEST = 1e-4, 1e4


class PixelSizeField(QWidget):
    """A number, its unit, and a button to take them."""

    chosen = Signal(float, str)
    """Side of a pixel and its unit, ``"um"`` or ``"m"``."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.side = QDoubleSpinBox()
        self.side.setDecimals(4)
        self.side.setRange(_SMALLEST, _LARGEST)
        self.side.setValue(0.5)
        self.side.setToolTip("Side of a pixel of the full resolution")
        self.unit = QComboBox()
        for text, unit in _UNITS:
            self.unit.addItem(text, unit)
        self.take = button("Set", "Use this pixel size for this image from now on", self._choose)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(5)
        row.addWidget(self.side, 2)
        row.addWidget(self.unit, 1)
        row.addWidget(self.take, 1)

    def _choose(self) -> None:
        self.chosen.emit(self.side.value(), self.unit.currentData())
