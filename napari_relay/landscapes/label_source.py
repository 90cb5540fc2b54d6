"""The classes of a landscape as labels to train on, without any file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.landscapes.labels import LANDSCAPE_CLASSES
from napari_relay.landscapes.landscape import Landscape
from relay_tokens import IGNORE_INDEX, ClassSchema


@dataclass(frozen=True)
class LandscapeLabels:
    """The classes of a landscape as a label source for training."""

    landscape: Landscape
    """Whose classes."""

    @property
    def classes(self) -> ClassSchema:
        """What the label values mean."""
        return LANDSCAPE_CLASSES

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Compute ``(height, width)`` classes; 255 outside the landscape."""
        labels = np.full((window.height, window.width), IGNORE_INDEX, dtype=np.uint8)
        inside = window.intersection(self.landscape.window)
        if inside.area:
            moved = Window(inside.y0 - window.y0, inside.x0 - window.x0, *inside[2:])
            labels[moved.slices] = self.landscape.read_labels(inside)
        return labels
