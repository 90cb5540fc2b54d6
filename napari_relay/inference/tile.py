"""What is known of one predicted tile."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.inference.attention import TileAttention


class PredictedTile(NamedTuple):
    """All that is known of one tile; ``(rows, cols)`` are the tile's own area."""

    position: tuple[int, int]
    """Row and column in the tile grid."""
    labels: NDArray[np.uint8]
    """``(rows, cols)``: class labels; 255 where the image has no data."""
    confidence: NDArray[np.uint8]
    """``(rows, cols)``: 1 ... 255 for a probability of 0 ... 1; 0 without data."""
    entropy: NDArray[np.uint8]
    """``(rows, cols)``: 1 ... 255 for an entropy of 0 ... log(number of classes);
    0 without data."""
    disagreement: NDArray[np.uint8] | None
    """``(rows, cols)``: how far local and global prediction are apart, 1 ... 255 for
    0 ... 1; 0 without data. None for a model without a global branch."""
    probabilities: NDArray[np.uint8] | None
    """``(class, rows, cols)``: 0 ... 255 for 0 ... 1; None when the store keeps none."""
    attention: TileAttention | None
    """None when the store keeps none."""
