"""The grades of a core as labels to train on, without any file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.tissues.core import TissueCore
from napari_relay.tissues.labels import GLEASON_CLASSES
from relay_tokens import IGNORE_INDEX, ClassSchema


@dataclass(frozen=True)
class TissueLabels:
    """The grades of a synthetic core as a label source for training."""

    core: TissueCore
    """Whose grades."""

    @property
    def classes(self) -> ClassSchema:
        """What the label values mean."""
        return GLEASON_CLASSES

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Compute ``(height, width)`` classes; 255 outside the image."""
        labels = np.full((window.height, window.width), IGNORE_INDEX, dtype=np.uint8)
        inside = window.intersection(self.core.window)
        if inside.area:
            moved = Window(inside.y0 - window.y0, inside.x0 - window.x0, *inside[2:])
            labels[moved.slices] = self.core.read_labels(inside)
        return labels
