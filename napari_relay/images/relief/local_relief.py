"""How far the ground stands out of its surroundings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.relief.relief import Padding, Relief, scaled_radius
from napari_relay.images.relief.spacing import Spacing

SMALLEST_RADIUS = 10
"""Pixels; RVT takes no less."""


@dataclass(frozen=True)
class LocalRelief(Relief):
    """Elevation less its mean in a square around, in the elevation's unit.

    The first step of the local relief model (Hesse 2010, "LiDAR-derived local
    relief models: a new tool for archaeological prospection", Archaeological
    Prospection 17:67-72), RVT's ``slrm``. Pixels without data are left out of
    the mean; outside the image lie copies of its edge.
    """

    radius: int = 20
    """Pixels from the middle of the square to its sides; the side is twice that and one."""
    padding: ClassVar[Padding] = "edge"

    @property
    def halo(self) -> int:
        """The radius."""
        return self.radius

    def at_level(self, factor: float) -> LocalRelief:
        """The same radius on the ground, of 10 pixels at least."""
        return replace(self, radius=scaled_radius(self.radius, factor, SMALLEST_RADIUS))

    def compute(
        self,
        elevation: NDArray[np.float32],
        spacing: Spacing,  # noqa: ARG002
    ) -> NDArray[np.float32]:
        """Local relief; shapes as in :meth:`Relief.compute`, ``spacing`` has no bearing."""
        side, cut = 2 * self.radius + 1, slice(self.radius, -self.radius or None)
        known = ~np.isnan(elevation)
        total = _box_sum(np.where(known, elevation, 0), side)
        count = side**2 if known.all() else np.maximum(_box_sum(known, side), 1)
        relief: NDArray[np.float64] = elevation[cut, cut] - total / count
        return relief.astype(np.float32)


def _box_sum(values: NDArray[np.generic], side: int) -> NDArray[np.float64]:
    """Sum of every ``side`` × ``side`` pixels that lie inside."""
    sums: NDArray[np.float64] = values.astype(np.float64)
    for axis in (0, 1):
        sums = np.moveaxis(sums, axis, 0)
        running = np.concatenate([np.zeros_like(sums[:1]), np.cumsum(sums, axis=0)])
        sums = np.moveaxis(running[side:] - running[:-side], 0, axis)
    return sums
