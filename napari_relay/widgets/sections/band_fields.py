"""Fields for the bands that are shown, and their contrast."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy.QtCore import QSignalBlocker, Qt, QTimer, Signal
from qtpy.QtWidgets import QComboBox, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget
from superqt import QRangeSlider

from napari_relay.widgets.band_display import BandChoice
from napari_relay.widgets.sections.section import button

_PAUSE_MS = 120
"""How long the contrast must rest before the image follows."""
_LABEL_WIDTH = 60
_LONGEST = "00–100 %"
_COLORS = ("Red", "Green", "Blue")
_WHOLE = (0.0, 100.0)
_FIRST, _OWN = "first", "own"
"""Bands as the image was opened; three that the person chooses. Else the index of a grey band."""


class BandFields(QWidget):
    """Which bands are red, green and blue, or the one that is grey; and the contrast."""

    changed = Signal(object)
    """A :class:`BandChoice` for the image that is described."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._names: tuple[str, ...] = ()
        self._first: tuple[int, ...] = ()
        self._usual = _WHOLE
        self._contrast: tuple[float, float] | None = None
        self.shown = QComboBox()
        self.shown.setToolTip("The bands that you see; what a model reads stays the same")
        self.shown.activated.connect(self._on_shown)
        self.channels = tuple(self._channel(color) for color in _COLORS)
        self.contrast = QRangeSlider(Qt.Orientation.Horizontal)
        self.contrast.setRange(0, 100)
        self.contrast.setToolTip(
            "Each band is stretched between these percentages of its pixels, from dark to bright"
        )
        self.contrast.valueChanged.connect(self._on_contrast)
        self.percentages = QLabel()
        # As wide as its longest text: the slider must not move under the hand.
        self.percentages.setMinimumWidth(
            self.percentages.fontMetrics().boundingRect(_LONGEST).width()
        )
        self.usual = button("Auto", "The contrast that the image was opened with", self._on_usual)
        self._timer = QTimer(self)
        self._timer.setSingleShot(True)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._tell)
        self._lay_out()

    def describe(
        self,
        names: Sequence[str],
        first: Sequence[int],
        usual: tuple[float, float],
        choice: BandChoice,
    ) -> None:
        """Offer the bands of an image.

        Parameters
        ----------
        names
            Of all its bands.
        first
            Indices of those it is opened with, three or one.
        usual
            Percentages between which they are stretched then.
        choice
            What is shown now.
        """
        self._timer.stop()
        self._names, self._first, self._usual = tuple(names), tuple(first), usual
        self._fill()
        self.shown.setCurrentIndex(self.shown.findData(self._mode_of(choice.bands)))
        for box, band in zip(self.channels, choice.bands, strict=False):
            box.setCurrentIndex(band)
        self._set_contrast(choice.contrast)
        self._show_rows()

    def set_usual(self, usual: tuple[float, float]) -> None:
        """Note between which percentages the shown bands are stretched of themselves."""
        self._usual = usual
        self._set_contrast(self._contrast)

    def choice(self) -> BandChoice:
        """What the fields say."""
        mode = self.shown.currentData()
        if mode == _OWN:
            bands = tuple(box.currentIndex() for box in self.channels)
        else:
            bands = self._first if mode == _FIRST else (int(mode),) * len(self._first)
        return BandChoice(bands, self._contrast)

    def _channel(self, color: str) -> QComboBox:
        box = QComboBox()
        box.setToolTip(f"The band that is shown as {color.lower()}")
        box.activated.connect(self._tell)
        return box

    def _lay_out(self) -> None:
        # Rows of their own: a form keeps the place of those that are hidden.
        self._shown_row = _row("Bands", self.shown)
        self._channel_rows = [
            _row(color, box) for color, box in zip(_COLORS, self.channels, strict=True)
        ]
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        for row in (self._shown_row, *self._channel_rows):
            column.addWidget(row)
        column.addWidget(_row("Contrast", self.contrast, self.percentages, self.usual))

    def _fill(self) -> None:
        self.shown.clear()
        self.shown.addItem(", ".join(self._names[band] for band in self._first), _FIRST)
        grey = range(len(self._names)) if len(self._names) > 1 else ()
        for band in grey:
            if (band,) != self._first:
                self.shown.addItem(f"{self._names[band]} in grey", band)
        if len(self._first) == 3:
            self.shown.addItem("choose three…", _OWN)
        for box in self.channels:
            box.clear()
            box.addItems(self._names)

    def _mode_of(self, bands: tuple[int, ...]) -> str | int:
        if bands == self._first:
            return _FIRST
        return bands[0] if len(set(bands)) == 1 else _OWN

    def _show_rows(self) -> None:
        own = self.shown.currentData() == _OWN
        self._shown_row.setVisible(self.shown.count() > 1)
        for row in self._channel_rows:
            row.setVisible(own)

    def _set_contrast(self, contrast: tuple[float, float] | None) -> None:
        self._contrast = contrast
        self.usual.setEnabled(contrast is not None)
        with QSignalBlocker(self.contrast):
            self.contrast.setValue(tuple(round(part) for part in contrast or self._usual))
        self._name_percentages()

    def _on_shown(self) -> None:
        if self.shown.currentData() == _OWN:
            for box, band in zip(self.channels, self._first, strict=True):
                box.setCurrentIndex(band)
        self._show_rows()
        self._tell()

    def _name_percentages(self) -> None:
        low, high = self._contrast or self._usual
        self.percentages.setText(f"{low:.0f}–{high:.0f} %")

    def _on_contrast(self, limits: tuple[int, int]) -> None:
        self._contrast = float(limits[0]), float(limits[1])
        self._name_percentages()
        self.usual.setEnabled(True)
        self._timer.start()

    def _on_usual(self) -> None:
        self._set_contrast(None)
        self._tell()

    def _tell(self) -> None:
        self._timer.stop()
        self.changed.emit(self.choice())


def _row(text: str, field: QWidget, *more: QWidget) -> QWidget:
    """A label, a field as wide as there is room, and what comes after it."""
    label = QLabel(text)
    label.setMinimumWidth(_LABEL_WIDTH)
    field.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    holder = QWidget()
    row = QHBoxLayout(holder)
    row.setContentsMargins(0, 0, 0, 0)
    row.setSpacing(5)
    row.addWidget(label)
    row.addWidget(field, 1)
    for widget in more:
        row.addWidget(widget)
    return holder
