"""Moats and canals: what encloses a site, and what only looks like it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.grid import Field, Rectangle, SampleGrid
from napari_relay.landscapes.noise import smooth_step
from napari_relay.landscapes.site_plan import (
    BANK_WIDTH,
    WATER_HALF_WIDTH,
    WOBBLE,
    SitePlan,
)

REACH = WATER_HALF_WIDTH + BANK_WIDTH + WOBBLE
"""Plan units from the middle of a moat within which anything of it lies."""
SOFTNESS = 2.5
"""Plan units over which the edge of water or bank is spread."""
DEPTH = 2.0
"""Of the water below the ground, in metres."""
BANK_HEIGHT = 2.2
"""In metres."""


@dataclass(frozen=True, eq=False)
class Moats:
    """Moats, canals and their banks on a grid."""

    water: Field
    """0 ... 1: how much of a point is water."""
    bank: Field
    """0 ... 1: how much of it is bank."""

    @property
    def rise(self) -> Field:
        """Metres by which they raise or lower the ground."""
        return BANK_HEIGHT * self.bank - DEPTH * self.water


def draw_moats(grid: SampleGrid, plan: SitePlan, wobble: Field) -> Moats:
    """Draw moats around the blocks of sites, and canals in open country.

    Parameters
    ----------
    grid
        Where.
    plan
        Where they lie.
    wobble
        Noise of about -1 ... 1 on the grid, that makes straight edges uneven.
    """
    moats, near = Moats(grid.zeros(), grid.zeros()), grid.area.grown(REACH)
    strays = WOBBLE * np.clip(wobble, -1, 1)
    for block in plan.blocks(near):
        if block.is_site:
            _enclose(moats, grid, block.area, strays)
    for canal in plan.lone_canals(near):
        _dig(moats, grid, canal, strays)
    # Where two moats meet, water cuts the banks.
    moats.bank[:] *= 1 - moats.water
    return moats


def _enclose(moats: Moats, grid: SampleGrid, area: Rectangle, strays: Field) -> None:
    """Water around a block, and a bank along its inner side."""
    for side in _sides(area):
        rows, cols = grid.inside(side)
        if rows.start == rows.stop or cols.start == cols.stop:
            continue
        depth = _depth(grid.cut(rows, cols), area) + strays[rows, cols]
        water = _band(depth, -WATER_HALF_WIDTH, WATER_HALF_WIDTH)
        bank = _band(depth, WATER_HALF_WIDTH, WATER_HALF_WIDTH + BANK_WIDTH)
        np.maximum(moats.water[rows, cols], water, out=moats.water[rows, cols])
        np.maximum(moats.bank[rows, cols], bank, out=moats.bank[rows, cols])


def _dig(moats: Moats, grid: SampleGrid, canal: Rectangle, strays: Field) -> None:
    """Water along a line, without banks."""
    rows, cols = grid.inside(canal.grown(WATER_HALF_WIDTH + WOBBLE))
    if rows.start == rows.stop or cols.start == cols.stop:
        return
    depth = _depth(grid.cut(rows, cols), canal) + strays[rows, cols]
    water = smooth_step(depth + WATER_HALF_WIDTH, -SOFTNESS / 2, SOFTNESS / 2)
    np.maximum(moats.water[rows, cols], water, out=moats.water[rows, cols])


def _sides(area: Rectangle) -> tuple[Rectangle, ...]:
    """The four strips that hold a moat around a block."""
    row0, row1, col0, col1 = area
    wide = area.grown(REACH)
    return (
        Rectangle(wide.row0, row0 + REACH, wide.col0, wide.col1),
        Rectangle(row1 - REACH, wide.row1, wide.col0, wide.col1),
        Rectangle(row0 + REACH, row1 - REACH, wide.col0, col0 + REACH),
        Rectangle(row0 + REACH, row1 - REACH, col1 - REACH, wide.col1),
    )


def _depth(grid: SampleGrid, area: Rectangle) -> NDArray[np.float32]:
    """Distance to the nearest edge of a rectangle; negative outside."""
    down = np.minimum(grid.rows - area.row0, area.row1 - grid.rows)
    across = np.minimum(grid.cols - area.col0, area.col1 - grid.cols)
    return np.minimum(down[:, None], across[None, :]).astype(np.float32)


def _band(depth: Field, low: float, high: float) -> Field:
    """1 between two depths, 0 outside, soft at both edges."""
    half = SOFTNESS / 2
    within: Field = smooth_step(depth, low - half, low + half)
    return within * (1 - smooth_step(depth, high - half, high + half))
