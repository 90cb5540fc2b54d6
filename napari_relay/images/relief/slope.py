"""How steep the ground is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.relief.relief import Padding, Relief
from napari_relay.images.relief.spacing import Spacing


class Fall(NamedTuple):
    """Descent for each unit of way; negative where the ground rises."""

    east: NDArray[np.float32]
    """``(rows, cols)``: towards the next column."""
    north: NDArray[np.float32]
    """``(rows, cols)``: towards the row above."""


@dataclass(frozen=True)
class Slope(Relief):
    """Steepest slope in degrees, 0 to 90, from the differences of the four neighbours.

    A neighbour without data, or outside the image, counts as high as the pixel
    itself (RVT's ``slope_aspect``).
    """

    padding: ClassVar[Padding] = "edge"

    @property
    def halo(self) -> int:
        """One pixel."""
        return 1

    def compute(self, elevation: NDArray[np.float32], spacing: Spacing) -> NDArray[np.float32]:
        """Slope in degrees; shapes as in :meth:`Relief.compute`."""
        fall = fall_of(elevation, spacing)
        return np.degrees(np.arctan(np.hypot(fall.east, fall.north)))


def fall_of(elevation: NDArray[np.float32], spacing: Spacing) -> Fall:
    """Central differences of ``(rows + 2, cols + 2)`` heights, NaN without data."""
    centre = elevation[1:-1, 1:-1]
    west, east = _known(elevation[1:-1, :-2], centre), _known(elevation[1:-1, 2:], centre)
    north, south = _known(elevation[:-2, 1:-1], centre), _known(elevation[2:, 1:-1], centre)
    half = np.float32(0.5)
    return Fall(
        (west - east) * (half / np.float32(spacing.col)),
        (south - north) * (half / np.float32(spacing.row)),
    )


def _known(neighbour: NDArray[np.float32], centre: NDArray[np.float32]) -> NDArray[np.float32]:
    # The sum is NaN where the neighbour or the pixel itself has no data.
    return np.where(np.isnan(neighbour + centre), centre, neighbour)
