"""Which part of a core has which grade: the outlines an annotator would draw.

Sites lie on an uneven lattice; a place has the grade of the site that is
nearest. Distances are softened and places are bent, so outlines are round.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.noise import derive_key, hashed
from napari_relay.tissues.labels import Grade
from napari_relay.tissues.waves import Points, Waves, draw_waves

SPACING = 860.0
"""Pixels between sites."""
UNEVEN = 0.3
"""Share of the spacing by which a site is moved at most."""
SOFTNESS = 45.0
"""Pixels within which the corners of an outline are round."""
BEND = 42.0
"""Pixels, standard deviation, by which places are bent."""
BEND_LENGTHS = (420.0, 1100.0)
"""Wavelengths of the bends, in pixels."""
MIXES = (
    (0.26, 0.42, 0.26, 0.06),
    (0.22, 0.26, 0.42, 0.10),
    (0.24, 0.10, 0.36, 0.30),
    (0.34, 0.30, 0.12, 0.24),
)
"""Share of each grade among the sites of a core; the seed's remainder chooses."""

_NOWHERE = 1e-300
"""Keeps the distance to a grade that a core lacks finite."""


@dataclass(frozen=True, eq=False)
class Regions:
    """Grades of places, in level-0 pixels."""

    rows: Points
    """``(site,)``."""
    cols: Points
    """``(site,)``."""
    grades: NDArray[np.intp]
    """``(site,)`` values of :class:`~napari_relay.tissues.labels.Grade`."""
    bends: tuple[Waves, Waves]
    """Pixels by which rows and columns are moved before distances are taken."""

    def distances(self, rows: Points, cols: Points) -> Points:
        """Pixels to the nearest site of each grade: ``(grade, *points)``."""
        down, across = rows + self.bends[0].at(rows, cols), cols + self.bends[1].at(rows, cols)
        near = np.full((len(Grade), *down.shape), _NOWHERE)
        for row, col, grade in zip(self.rows, self.cols, self.grades, strict=True):
            near[grade] += np.exp(-np.hypot(down - row, across - col) / SOFTNESS)
        found: Points = -SOFTNESS * np.log(near)
        return found

    def margin(self, rows: Points, cols: Points, grade: Grade) -> Points:
        """Pixels to the outline of a grade's region, negative outside it."""
        return margin_of(self.distances(rows, cols), grade)


def margin_of(distances: Points, grade: Grade) -> Points:
    """Pixels to the outline of a grade's region, from the distances to all grades."""
    others = np.delete(distances, grade, axis=0).min(axis=0)
    found: Points = (others - distances[grade]) / 2
    return found


def draw_regions(seed: int, side: int) -> Regions:
    """Draw the regions of a core whose image has rows and columns of ``side`` pixels."""
    cells = np.arange(-1, int(side // SPACING) + 2)
    i, j = (part.ravel() for part in np.meshgrid(cells, cells, indexing="ij"))
    lots = [hashed(derive_key(seed, "site", k), i, j).astype(np.float64) for k in range(3)]
    mix = np.cumsum(MIXES[seed % len(MIXES)])[:-1]
    row, col = (
        (k + 0.5 + UNEVEN * (2 * lot - 1)) * SPACING
        for k, lot in zip((i, j), lots[:2], strict=True)
    )
    down, across = (draw_waves(derive_key(seed, "bend", k), BEND, BEND_LENGTHS) for k in range(2))
    return Regions(row, col, np.searchsorted(mix, lots[2], side="right"), (down, across))
