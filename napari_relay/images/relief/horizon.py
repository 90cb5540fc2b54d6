"""How high the horizon stands around a pixel."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.relief.spacing import Spacing

LOWEST = -1000.0
"""Tangent of the horizon where nothing is known around a pixel (RVT's)."""
ABYSS = -1e18
"""Height of a pixel without data: never a horizon, and its square is still a float32."""
FINENESS = 3
"""Points looked at for each pixel of a ray, before they are rounded to pixels (RVT's)."""
STRIP = 32
"""Rows searched at once: few enough to stay in the processor's cache."""


class Step(NamedTuple):
    """From a pixel to one that may be its horizon."""

    row: int
    """Rows down."""
    col: int
    """Columns to the right."""


@cache
def rays(radius: int, directions: int) -> tuple[tuple[Step, ...], ...]:
    """Pixels on evenly spread rays around a pixel (RVT's ``horizon_shift_vector``).

    Parameters
    ----------
    radius
        Length of a ray, in pixels.
    directions
        Number of rays.

    Returns
    -------
    tuple
        The steps of each ray, each once.
    """
    lengths = 1 + np.arange((radius - 1) * FINENESS + 1) / FINENESS
    found = []
    for angle in 2 * math.pi / directions * np.arange(directions):
        rows, cols = np.round(-np.cos(angle) * lengths), np.round(-np.sin(angle) * lengths)
        steps = zip(rows.astype(int).tolist(), cols.astype(int).tolist(), strict=True)
        found.append(tuple(dict.fromkeys(Step(row, col) for row, col in steps)))
    return tuple(found)


def mean_over_horizon(
    elevation: NDArray[np.float32],
    spacing: Spacing,
    radius: int,
    directions: int,
    term: Callable[[NDArray[np.float32]], NDArray[np.float32]],
) -> NDArray[np.float32]:
    """Mean, over all directions, of a function of the horizon's tangent.

    Parameters
    ----------
    elevation
        ``(rows + 2 * radius, cols + 2 * radius)``; NaN where there is no data:
        such pixels are no horizon, and have none.
    spacing
        Distance of the pixel centres, in the unit of the elevation.
    radius, directions
        As in :func:`rays`.
    term
        Takes the tangents ``(rows, cols)`` of the angle between the level and
        the horizon in one direction, negative where the horizon lies below;
        may change them.

    Returns
    -------
    NDArray[np.float32]
        ``(rows, cols)``.
    """
    unknown = np.isnan(elevation)
    ground = np.where(unknown, np.float32(ABYSS), elevation)
    rows, cols = (side - 2 * radius for side in elevation.shape)
    total = np.zeros((rows, cols), np.float32)
    for start in range(0, rows, STRIP):
        strip = ground[start : min(start + STRIP, rows) + 2 * radius]
        for ray in rays(radius, directions):
            total[start : start + STRIP] += term(_tangents(strip, spacing, radius, ray))
    total /= directions
    total[unknown[radius : radius + rows, radius : radius + cols]] = np.nan
    return total


def _tangents(
    ground: NDArray[np.float32], spacing: Spacing, radius: int, ray: tuple[Step, ...]
) -> NDArray[np.float32]:
    """Tangent of the highest pixel on a ray, over the horizontal."""
    rows, cols = (side - 2 * radius for side in ground.shape)
    centre = ground[radius : radius + rows, radius : radius + cols]
    highest, rise = np.full_like(centre, LOWEST), np.empty_like(centre)
    for step in ray:
        top, left = radius + step.row, radius + step.col
        way = math.hypot(step.row * spacing.row, step.col * spacing.col)
        np.subtract(ground[top : top + rows, left : left + cols], centre, out=rise)
        np.multiply(rise, np.float32(1 / way), out=rise)
        np.maximum(highest, rise, out=highest)
    return highest
