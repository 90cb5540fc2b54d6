"""Area resampling of a window that lies anywhere between a level's pixels."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Span(NamedTuple):
    """How ``size`` target pixels lie over one axis of a level.

    Positions are pixel edges: pixel ``s`` of the level covers ``[s, s + 1)``.
    """

    start: float
    """Lower edge of the first target pixel, in the level's pixels."""
    step: float
    """The level's pixels a target pixel; positive."""
    size: int
    """Number of target pixels."""

    @property
    def _slack(self) -> float:
        return min(_SLACK, self.step / 4)

    @property
    def first(self) -> int:
        """First pixel of the level that a target pixel touches."""
        return math.floor(self.start + self._slack)

    @property
    def length(self) -> int:
        """Number of the level's pixels that are touched."""
        return math.ceil(self.start + self.step * self.size - self._slack) - self.first

    @property
    def is_identity(self) -> bool:
        """Whether target pixels are the level's own pixels."""
        ends = self.start, self.start + self.step * self.size
        on_grid = all(abs(end - round(end)) < _SLACK for end in ends)
        return on_grid and self.length == self.size

    def weights(self) -> NDArray[np.float32]:
        """Share of each source pixel in each target pixel ``(size, length)``; rows sum to 1."""
        lower = self.start + self.step * np.arange(self.size)[:, None]
        edges = self.first + np.arange(self.length)[None, :]
        overlap = np.minimum(lower + self.step, edges + 1) - np.maximum(lower, edges)
        overlap = np.clip(overlap, 0, None)
        share: NDArray[np.float32] = overlap / overlap.sum(axis=1, keepdims=True)
        return share.astype(np.float32)


# A slide's factor of 4.0003 shifts a 256-px crop by less than a tenth of a pixel:
# not worth blurring the whole crop for.
_SLACK = 0.1


def resample(
    pixels: NDArray[np.float32], mask: NDArray[np.bool_], rows: Span, cols: Span
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Mean of the masked pixels under each target pixel.

    Parameters
    ----------
    pixels
        ``(rows.length, cols.length, band)``; anything, NaN too, outside the mask.
    mask
        ``(rows.length, cols.length)``: the pixels that count.

    Returns
    -------
    tuple
        Values ``(rows.size, cols.size, band)``, 0 where nothing counted, and
        the mask ``(rows.size, cols.size)`` of where something did.
    """
    kept = np.where(mask[..., None], pixels, np.float32(0))
    if rows.is_identity and cols.is_identity:
        return kept, mask
    down, across = rows.weights(), cols.weights()
    total = np.einsum("ry,yxb,cx->rcb", down, kept, across, optimize=True)
    if mask.all():
        return total.astype(np.float32), np.ones(total.shape[:2], dtype=bool)
    share = down @ mask.astype(np.float32) @ across.T
    counted = share > 1e-6
    return np.where(counted[..., None], total / np.where(counted, share, 1)[..., None], 0), counted
