"""Modern roads: nearly straight, and in no relation to any site."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.grid import Field, SampleGrid
from napari_relay.landscapes.noise import derive_key, hashed, smooth_noise, smooth_step

SPACING = 2700.0
"""Plan units between roads, on average, in either direction."""
HALF_WIDTH = 5.0
"""In plan units."""
SWAY = 160.0
"""Plan units by which a road leaves its straight line."""


@dataclass(frozen=True, eq=False)
class Roads:
    """Roads on a grid."""

    cover: Field
    """0 ... 1: how much of a point is road."""

    @property
    def rise(self) -> Field:
        """Metres by which the road's dam raises the ground."""
        return 0.5 * self.cover


def draw_roads(grid: SampleGrid, seed: int) -> Roads:
    """Draw the roads that cross a grid."""
    cover = grid.zeros()
    for distance in _distances(grid.rows, grid.cols, grid.step, derive_key(seed, "roads east")):
        np.maximum(cover, _cover(distance), out=cover)
    for distance in _distances(grid.cols, grid.rows, grid.step, derive_key(seed, "roads south")):
        np.maximum(cover, _cover(distance.T), out=cover)
    return Roads(cover)


def _cover(distance: Field) -> Field:
    return 1 - smooth_step(distance, HALF_WIDTH - 1, HALF_WIDTH + 1)


def _distances(
    across: NDArray[np.float64], along: NDArray[np.float64], step: float, key: int
) -> Iterator[Field]:
    """Distance ``(across, along)`` to each road near the grid that runs along an axis."""
    reach = 2 * SWAY + HALF_WIDTH + SPACING / 2
    first = math.floor((across[0] - reach) / SPACING)
    for number in range(first, math.ceil((across[-1] + reach) / SPACING) + 1):
        place = number + 0.5 * float(hashed(key, np.array([number]), np.zeros(1, np.int64))[0])
        line = SampleGrid(np.array([number * 1e6]), along, step)
        middle = SPACING * place + SWAY * smooth_noise(line, key, 1400.0)[0]
        if middle.max() + 9 < across[0] or middle.min() - 9 > across[-1]:
            continue
        yield np.abs(across[:, None] - middle[None, :]).astype(np.float32)
