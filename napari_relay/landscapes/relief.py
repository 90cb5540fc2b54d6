"""The ground as it is without anything on it."""

from __future__ import annotations

import numpy as np

from napari_relay.landscapes.grid import Field, SampleGrid
from napari_relay.landscapes.noise import derive_key, layered_noise, smooth_noise, smooth_step

DATUM = 24.0
"""Mean height above the sea, in metres."""
SLOPES = {5200.0: 2.2, 2300.0: 1.1, 1000.0: 0.5, 430.0: 0.25}
"""Metres for each lattice spacing of the wide ground."""
ROUGHNESS = {150.0: 0.16, 52.0: 0.09, 19.0: 0.06, 8.0: 0.03}
"""Metres for each lattice spacing of the rough ground, where it is roughest."""


def wide_relief(grid: SampleGrid, seed: int) -> Field:
    """Height in metres of slopes and swells, far wider than any feature."""
    return DATUM + layered_noise(grid, derive_key(seed, "slopes"), SLOPES)


def rough_relief(grid: SampleGrid, seed: int, roughness: float = 1.0) -> Field:
    """Metres of small humps, smoothed by erosion more in some places than in others.

    Parameters
    ----------
    grid, seed
        Where, and of which landscape.
    roughness
        Factor on all heights.
    """
    worn = smooth_noise(grid, derive_key(seed, "erosion"), 700.0)
    rough = layered_noise(grid, derive_key(seed, "roughness"), ROUGHNESS)
    humps = rough * (0.35 + 0.65 * smooth_step(worn, -0.5, 0.6))
    # Not multiplied by 1: the usual landscape stays the same to the last bit.
    return humps if roughness == 1 else np.float32(roughness) * humps
