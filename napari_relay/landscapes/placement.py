"""Where in the world every landscape lies, and how many levels it has."""

from __future__ import annotations

from napari_relay.landscapes.landscape import Landscape

CRS = "EPSG:32648"
"""UTM zone 48 north: Cambodia."""
CORNER = (370_000.0, 1_490_000.0)
"""Easting and northing of the upper-left corner of every landscape, in metres."""
SMALLEST_SIDE = 512
"""The coarsest level is the first one that is no larger."""


def landscape_affine(landscape: Landscape) -> tuple[float, float, float, float, float, float]:
    """Affine of a landscape's pixel corners in :data:`CRS`, as images have it."""
    side = landscape.pixel_size
    return side, 0.0, CORNER[0], 0.0, -side, CORNER[1]


def level_factors(size: tuple[int, int]) -> list[int]:
    """Level-0 pixels a pixel of each level: 1, then doubling up to the coarsest."""
    factors = [1]
    while max(size) > SMALLEST_SIDE * factors[-1]:
        factors.append(2 * factors[-1])
    return factors
