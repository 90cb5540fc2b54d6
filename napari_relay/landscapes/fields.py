"""Rice fields: parcels between low banks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from napari_relay.landscapes.grid import Field, SampleGrid
from napari_relay.landscapes.noise import derive_key, hashed, smooth_noise, smooth_step

PARCEL = (46.0, 64.0)
"""Usual height and width of a parcel, in plan units."""
BANK_HALF_WIDTH = 1.6
"""In plan units."""


@dataclass(frozen=True, eq=False)
class RiceFields:
    """Parcels on a grid."""

    cover: Field
    """0 ... 1: whether a point is farmed."""
    bank: Field
    """0 ... 1: how much of it is a bank between parcels."""
    tone: Field
    """0 ... 1, alike all over a parcel: how green or dry it is."""

    @property
    def rise(self) -> Field:
        """Metres by which banks and terraces raise the ground."""
        return self.cover * (0.35 * self.bank + 0.3 * self.tone)


def draw_fields(grid: SampleGrid, seed: int) -> RiceFields:
    """Draw rice fields; nothing of a site plan turns them aside."""
    cover = smooth_step(smooth_noise(grid, derive_key(seed, "farmed"), 620.0), 0.02, 0.12)
    if not cover.any():
        return RiceFields(cover, grid.zeros(), grid.zeros())
    key = derive_key(seed, "parcels")
    bend = [24 * smooth_noise(grid, derive_key(key, axis), 210.0) for axis in ("row", "col")]
    down = (grid.rows[:, None] + bend[0]) / PARCEL[0]
    row = np.floor(down)
    # Every row of parcels is moved by an amount of its own, as bricks are.
    shift = hashed(key, row.astype(np.int64), np.zeros(1, np.int64))
    across = (grid.cols[None, :] + bend[1]) / PARCEL[1] + shift
    col = np.floor(across)
    edge = np.minimum(
        PARCEL[0] * (0.5 - np.abs(down - row - 0.5)), PARCEL[1] * (0.5 - np.abs(across - col - 0.5))
    ).astype(np.float32)
    tone = hashed(key + 1, row.astype(np.int64), col.astype(np.int64))
    return RiceFields(
        cover,
        1 - smooth_step(edge, BANK_HALF_WIDTH - 0.8, BANK_HALF_WIDTH + 0.8),
        tone,
    )
