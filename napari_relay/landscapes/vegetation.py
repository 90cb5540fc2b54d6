"""Forest: crowns in the photograph, and what is left of them in the ground model."""

from __future__ import annotations

from dataclasses import dataclass

from napari_relay.landscapes.grid import Field, SampleGrid
from napari_relay.landscapes.noise import derive_key, layered_noise, smooth_noise, smooth_step

STANDS = {900.0: 1.0, 230.0: 0.45, 60.0: 0.25}
"""Amplitude for each lattice spacing of the field that says where forest is."""


@dataclass(frozen=True, eq=False)
class Vegetation:
    """Trees and shrubs on a grid."""

    canopy: Field
    """0 ... 1: how much of the ground the crowns hide from above."""
    crowns: Field
    """About -1 ... 1: light tops and dark gaps."""
    shrubs: Field
    """About -1 ... 1: finer growth, everywhere."""

    @property
    def residue(self) -> Field:
        """Metres of plants that were taken for ground, as filtered laser points have them."""
        return self.canopy * (0.16 * self.crowns + 0.06 * self.shrubs) + 0.02 * self.shrubs


def draw_vegetation(grid: SampleGrid, seed: int) -> Vegetation:
    """Draw forest; nothing of a site plan turns it aside."""
    key = derive_key(seed, "forest")
    stands = layered_noise(grid, key, STANDS)
    crowns = smooth_noise(grid, derive_key(key, "crowns"), 6.0)
    single = smooth_step(crowns + 2.2 * stands, 1.0, 1.7)
    shrubs = smooth_noise(grid, derive_key(key, "shrubs"), 2.4)
    return Vegetation(single, crowns, shrubs)
