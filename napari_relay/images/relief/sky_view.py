"""How much of the sky a place sees, and how open it lies."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.relief.horizon import mean_over_horizon
from napari_relay.images.relief.relief import Padding, Relief, scaled_radius
from napari_relay.images.relief.spacing import Spacing

SMALLEST_RADIUS = 5
"""Pixels; with fewer the 16 rays fall together."""


@dataclass(frozen=True)
class SkyView(Relief):
    """Sky-view factor: the part of the sky over the horizon, 0 to 1 (open).

    One minus the mean sine of the horizon's height, which is never below the
    level (Zakšek, Oštir and Kokalj 2011, "Sky-view factor as a relief
    visualization technique", Remote Sensing 3(2):398-415; RVT's
    ``sky_view_factor``). Pixels without data are no horizon; outside the image
    lies its reflection.
    """

    radius: int = 10
    """How far the horizon is looked for, in pixels."""
    directions: int = 16
    """In how many directions."""
    padding: ClassVar[Padding] = "reflect"

    @property
    def halo(self) -> int:
        """The radius."""
        return self.radius

    def at_level(self, factor: float) -> SkyView:
        """The same radius on the ground, of 5 pixels at least."""
        return replace(self, radius=scaled_radius(self.radius, factor, SMALLEST_RADIUS))

    def compute(self, elevation: NDArray[np.float32], spacing: Spacing) -> NDArray[np.float32]:
        """Sky-view factor; shapes as in :meth:`Relief.compute`."""
        return mean_over_horizon(elevation, spacing, self.radius, self.directions, _sky)


@dataclass(frozen=True)
class Openness(SkyView):
    """Mean angle from the zenith to the horizon, or from the nadir, in degrees.

    90 on a plane; up to 180 on a needle's tip. Negative openness is that of the
    terrain turned upside down (Doneus 2013, "Openness as visualization technique
    for interpretative mapping of airborne lidar derived digital terrain models",
    Remote Sensing 5(12):6427-6442; RVT's ``sky_view_factor``).
    """

    negative: bool = False
    """Whether the terrain is turned upside down."""

    def compute(self, elevation: NDArray[np.float32], spacing: Spacing) -> NDArray[np.float32]:
        """Openness in degrees; shapes as in :meth:`Relief.compute`."""
        ground = -elevation if self.negative else elevation
        mean = mean_over_horizon(ground, spacing, self.radius, self.directions, _angle)
        openness: NDArray[np.float32] = np.float32(90) - np.degrees(mean)
        return openness


def _sky(tangent: NDArray[np.float32]) -> NDArray[np.float32]:
    """``1 - sin(arctan(t))`` for tangents of 0 and more."""
    np.maximum(tangent, 0, out=tangent)
    sky: NDArray[np.float32] = 1 - tangent / np.sqrt(1 + tangent * tangent)
    return sky


def _angle(tangent: NDArray[np.float32]) -> NDArray[np.float32]:
    angle: NDArray[np.float32] = np.arctan(tangent)
    return angle
