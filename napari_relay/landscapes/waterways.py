"""Rivers and brooks: natural water, that winds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_relay.landscapes.grid import Field, SampleGrid
from napari_relay.landscapes.noise import derive_key, layered_noise, smooth_step

RIVER = {4200.0: 1.0, 1500.0: 0.35, 620.0: 0.16}
"""Amplitude for each lattice spacing of the field along whose zeros rivers run."""
BROOK = {1300.0: 1.0, 420.0: 0.3, 180.0: 0.1}
"""The same of brooks."""
RIVER_HALF_WIDTH = 26.0
"""In plan units."""
BROOK_HALF_WIDTH = 5.0
"""In plan units."""
PLAIN = 420.0
"""Plan units from a river within which its plain lies."""


@dataclass(frozen=True, eq=False)
class Waterways:
    """Natural running water on a grid."""

    river: Field
    """0 ... 1: how much of a point is river."""
    brook: Field
    """0 ... 1: how much of it is brook."""
    plain: Field
    """0 ... 1: how deep it lies in a river's plain."""

    @property
    def rise(self) -> Field:
        """Metres by which water and plain lower the ground."""
        depth: Field = 1.8 * self.river + 0.7 * self.brook + 1.4 * self.plain
        return -depth


def draw_waterways(grid: SampleGrid, seed: int) -> Waterways:
    """Draw rivers and brooks; nothing of a site plan turns them aside."""
    river = _distance(grid, derive_key(seed, "river"), RIVER)
    brook = _distance(grid, derive_key(seed, "brook"), BROOK)
    return Waterways(
        1 - smooth_step(river, RIVER_HALF_WIDTH - 3, RIVER_HALF_WIDTH + 3),
        1 - smooth_step(brook, BROOK_HALF_WIDTH - 2, BROOK_HALF_WIDTH + 2),
        1 - smooth_step(river, 0.0, PLAIN),
    )


def _distance(grid: SampleGrid, key: int, amplitudes: dict[float, float]) -> Field:
    """Plan units to the zeros of a field, to first order: value over slope.

    The slope is not let fall below what is usual, or a saddle becomes a lake.
    """
    field = layered_noise(grid, key, amplitudes)
    down, across = np.gradient(field, grid.step)
    usual = 0.3 / max(amplitudes)
    slope = np.maximum(np.hypot(down, across), np.float32(usual))
    distance: Field = np.abs(field) / slope
    return distance
