"""What is written of a prediction as a raster."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from napari_relay.geometry import Window

Quantity = Literal["classes", "confidence", "entropy", "disagreement", "probabilities"]
"""What the pixels of a raster are."""


@dataclass(frozen=True)
class RasterOptions:
    """What is written of a prediction as a raster."""

    quantity: Quantity = "classes"
    """``"classes"``: the class of each pixel, 255 where nothing is predicted. All others
    are 8 bits with a scale of 1/255, 0 where nothing is predicted: the ``"confidence"``
    in the class, the ``"entropy"`` as a share of the largest there can be, the
    ``"disagreement"`` of local and global branch, the ``"probabilities"``, a band a
    class."""
    window: Window | None = None
    """Level-0 pixels that are written; None: the whole image."""
