"""How much is corrected, counted in a worker."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from qtpy.QtCore import QObject, Signal

from napari_relay.annotation import CorrectionStore
from napari_relay.annotation.value_counts import ValueCounts
from napari_relay.training.correction_values import value_names
from napari_relay.widgets.jobs import JobRunner


class CorrectionCounter(QObject):
    """Counts again what was painted, whenever it is asked to."""

    counted = Signal()
    """:attr:`sentence` has changed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._corrections: CorrectionStore | None = None
        self._counts: ValueCounts | None = None
        self._values: NDArray[np.int64] = np.zeros(256, np.int64)
        self._is_counted = True
        self._jobs = JobRunner(self)
        self._jobs.advanced.connect(self._on_counted)

    @property
    def sentence(self) -> str:
        """What is corrected, in words."""
        if self._corrections is None:
            return ""
        painted = [
            f"{name} {self._values[value]:,} px".replace(",", "\u2009")
            for value, name in value_names(self._corrections.schema).items()
            if self._values[value]
        ]
        return "Corrected: " + ", ".join(painted) if painted else "Nothing corrected."

    def watch(self, corrections: CorrectionStore | None) -> None:
        """Count these from here on."""
        if corrections is self._corrections:
            return
        self._jobs.cancel()
        if self._counts is not None and self._corrections is not None:
            self._counts.close()
            self._corrections.pyramid.changed.disconnect(self._on_painted)
        self._corrections, self._counts = corrections, None
        self._values = np.zeros(256, np.int64)
        if corrections is not None:
            self._counts = ValueCounts(corrections.pyramid)
            self._is_counted = False
            corrections.pyramid.changed.connect(self._on_painted)

    def count(self) -> None:
        """Count what has changed, if anything has, and nothing is being counted."""
        if self._counts is not None and not self._is_counted and not self._jobs.running:
            self._is_counted = True
            self._jobs.start("Counting", self._counts.count_new)

    def _on_painted(self) -> None:
        self._is_counted = False

    def _on_counted(self, values: NDArray[np.int64]) -> None:
        self._values = values
        self.counted.emit()
