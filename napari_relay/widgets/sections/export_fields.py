"""Which objects are exported: the fields of the section *Export*."""

from __future__ import annotations

import shapely
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QSpinBox,
    QWidget,
)

from napari_relay.exporting.reporting.area_table import PIXELS, AreaUnit, area_units
from napari_relay.exporting.vectors import ObjectOptions
from napari_relay.images import PyramidImage

_LENGTHS = {"m": "m", "um": "µm"}
_IN_METRES = (AreaUnit("m²", "m2", 1.0), AreaUnit("ha", "ha", 1e4))
"""Of an image in degrees, whose objects are measured in metres."""
_LARGEST = 1e9


class ObjectFields(QWidget):
    """Smallest area with its unit, least confidence, tolerance of the outlines."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.area = QDoubleSpinBox()
        self.area.setRange(0, _LARGEST)
        self.area.setDecimals(2)
        self.area.setSpecialValueText("any area")
        self.area.setToolTip("Objects smaller than this are left out")
        self.unit = QComboBox()
        self.unit.setToolTip("Unit of the smallest area")
        self.confidence = QSpinBox()
        self.confidence.setRange(0, 100)
        self.confidence.setSuffix(" %")
        self.confidence.setSpecialValueText("any")
        self.confidence.setToolTip(
            "Objects of whose class the model was less sure, on average over their pixels, are "
            "left out"
        )
        self.tolerance = QDoubleSpinBox()
        self.tolerance.setRange(0, _LARGEST)
        self.tolerance.setDecimals(2)
        self.tolerance.setSpecialValueText("no: along the pixels")
        self.tolerance.setToolTip(
            "Smooth away the steps of the outlines that are finer than this; borders that two "
            "objects share stay shared"
        )
        self._lay_out()
        self._shown_units: tuple[AreaUnit, ...] = ()
        self._set_units((PIXELS,), "px")

    def _lay_out(self) -> None:
        self._form = QFormLayout(self)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setSpacing(5)
        row = QHBoxLayout()
        row.setSpacing(5)
        row.addWidget(self.area, 1)
        row.addWidget(self.unit)
        self.labels = [QLabel(text) for text in ("At least", "Confidence", "Simplify")]
        self._form.addRow(self.labels[0], row)
        self._form.addRow(self.labels[1], self.confidence)
        self._form.addRow(self.labels[2], self.tolerance)

    def fit(self, image: PyramidImage | None) -> None:
        """Offer the units of an image; what was chosen in others is forgotten."""
        units = () if image is None else area_units(image)
        if image is not None and image.unit == "degree":
            units = _IN_METRES
        length = "m" if units == _IN_METRES else _LENGTHS.get(image.unit or "") if image else None
        self._set_units(units[:2] or (PIXELS,), length if units and length else "px")

    def show_tolerance(self, shown: bool) -> None:
        """Whether outlines are written, whose steps may be smoothed."""
        for widget in (self.labels[2], self.tolerance):
            widget.setVisible(shown)

    def options(self, within: shapely.Geometry | None) -> ObjectOptions:
        """What the fields say.

        Parameters
        ----------
        within
            Polygons in level-0 pixel corners; None: everywhere.
        """
        unit = self._shown_units[max(self.unit.currentIndex(), 0)]
        return ObjectOptions(
            minimum_area=self.area.value() * unit.size,
            minimum_confidence=self.confidence.value() / 100,
            within=within,
            simplify=self.tolerance.value() if not self.tolerance.isHidden() else 0.0,
        )

    def _set_units(self, units: tuple[AreaUnit, ...], length: str) -> None:
        if units == self._shown_units:
            return
        self._shown_units = units
        with QSignalBlocker(self.unit):
            self.unit.clear()
            self.unit.addItems([unit.name for unit in units])
        self.area.setValue(0)
        self.tolerance.setValue(0)
        self.tolerance.setSuffix(f" {length}")
