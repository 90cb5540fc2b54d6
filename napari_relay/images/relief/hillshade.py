"""The ground as a lamp would light it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.relief.relief import Padding, Relief
from napari_relay.images.relief.slope import fall_of
from napari_relay.images.relief.spacing import Spacing


@dataclass(frozen=True)
class Hillshade(Relief):
    """Cosine of the angle between the ground's normal and the sun, 0 (dark) to 1.

    Neighbours as in :class:`~napari_relay.images.relief.slope.Slope`; no shadow
    is cast (RVT's ``hillshade``).
    """

    azimuth: float = 315.0
    """Where the sun stands, in degrees clockwise from the image's top."""
    height: float = 35.0
    """How high it stands over the horizon, in degrees."""
    padding: ClassVar[Padding] = "edge"

    @property
    def halo(self) -> int:
        """One pixel."""
        return 1

    def compute(self, elevation: NDArray[np.float32], spacing: Spacing) -> NDArray[np.float32]:
        """Hillshade; shapes as in :meth:`Relief.compute`."""
        fall = fall_of(elevation, spacing)
        azimuth, height = math.radians(self.azimuth), math.radians(self.height)
        # The dot product of the sun's direction and the normal (fall east, fall north, 1):
        # the same as the usual formula over slope and aspect, without its angles.
        shade = np.float32(math.sin(height)) + np.float32(math.cos(height)) * (
            fall.east * np.float32(math.sin(azimuth)) + fall.north * np.float32(math.cos(azimuth))
        )
        shade /= np.sqrt(1 + fall.east**2 + fall.north**2)
        lit: NDArray[np.float32] = np.maximum(shade, 0)
        return lit
