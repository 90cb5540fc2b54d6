"""What the bucket fills."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import flood

from napari_relay.annotation.painting import MaskPainting
from napari_relay.annotation.predicted import reaches_border
from napari_relay.geometry import Window
from napari_relay.widgets.shown_levels import PaintLevels, Pixels, stored_label

MAX_FILL = 4096
"""The bucket fills at most this many level-0 pixels a side, around the click."""

CUT_FILL = "The fill ends at the border of the view; pan or zoom out to fill on."


@dataclass(frozen=True)
class Bucket:
    """How it fills."""

    label: int
    """With what, as the layer shows it."""
    contiguous: bool
    """Only what is connected, by edges, with the pixel that was clicked."""
    kept: int | None
    """The only shown label that may be filled; None: any."""

    def fill(self, labels: Pixels, at: tuple[int, int]) -> NDArray[np.bool_] | None:
        """Which of some shown labels it fills; None where there is nothing to fill."""
        old = int(labels[at])
        if old == self.label or self.kept not in (None, old):
            return None
        if self.contiguous:
            return np.asarray(flood(labels, at, connectivity=1), np.bool_)
        return np.asarray(labels == old, np.bool_)


class Flood:
    """Finds what is filled, in a worker.

    Parameters
    ----------
    data
        What is filled.
    seed
        The pixel that was clicked.
    area
        What is looked at, level-0 pixels.
    bucket
        How.
    """

    def __init__(self, data: PaintLevels, seed: Window, area: Window, bucket: Bucket) -> None:
        self._data, self._seed, self._area, self._bucket = data, seed, area, bucket
        self.note = ""
        """What the person should be told, once it was called."""

    def __call__(self) -> MaskPainting:
        """Flood it."""
        seed, area = self._seed, self._area
        mask = self._bucket.fill(self._data[area.slices], (seed.y0 - area.y0, seed.x0 - area.x0))
        if mask is None:
            return MaskPainting(seed, np.zeros((1, 1), np.bool_), 0)
        if reaches_border(mask, area, self._data.pyramid.window):
            self.note = CUT_FILL
        return MaskPainting(area, mask, stored_label(self._bucket.label))
