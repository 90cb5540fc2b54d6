"""An image with what a person painted over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.training.labels import LabelSource
from relay_tokens import IGNORE_INDEX

LOOKED_AT = 2048
"""Side of the windows in which corrections are looked for, pixels."""


@runtime_checkable
class KnowsItsWindows(Protocol):
    """Corrections that know where they lie without being read, as those of a store do."""

    def corrected_windows(self, size: int) -> list[Window]:
        """Blocks of ``size`` × ``size`` level-0 pixels that hold a correction."""
        ...


@dataclass(frozen=True)
class CorrectedImage:
    """One of the images a model is fine-tuned on."""

    image: PyramidImage
    """With the bands that the model reads."""
    corrections: LabelSource
    """What was painted, see :mod:`~napari_relay.training.correction_values`; 255 elsewhere."""
    windows: Sequence[Window] | None = None
    """Where corrections lie, level-0 pixels, of any size; None: as the corrections know
    themselves, or to be looked for everywhere."""

    def corrected_windows(self, size: int) -> list[Window]:
        """Windows that hold all corrections.

        Parameters
        ----------
        size
            Side of the windows that are looked for, pixels, if none were given.
        """
        if self.windows is not None:
            return list(self.windows)
        if isinstance(self.corrections, KnowsItsWindows):
            return self.corrections.corrected_windows(size)
        return [found for window in _blocks(self.image.window) for found in self._in(window, size)]

    def _in(self, window: Window, size: int) -> list[Window]:
        """Blocks of a window, beginning at multiples of ``size``, with a correction."""
        touched = self.corrections.read(window) != IGNORE_INDEX
        if not touched.any():
            return []
        rows, cols = np.nonzero(touched)
        places = np.stack([(rows + window.y0) // size, (cols + window.x0) // size], axis=1)
        return [
            Window(int(i) * size, int(j) * size, size, size) for i, j in np.unique(places, axis=0)
        ]


def _blocks(whole: Window) -> list[Window]:
    return [
        Window(y0, x0, LOOKED_AT, LOOKED_AT).intersection(whole)
        for y0 in range(0, whole.height, LOOKED_AT)
        for x0 in range(0, whole.width, LOOKED_AT)
    ]
