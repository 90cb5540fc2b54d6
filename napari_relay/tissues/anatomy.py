"""How far the glands, their lumens and cords of cells are from each point of a tile.

Distances are smooth, so they are computed at every fourth pixel and interpolated.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.grid import Field, SampleGrid
from napari_relay.landscapes.landscape import TILE
from napari_relay.landscapes.noise import derive_key, layered_noise, smooth_noise
from napari_relay.tissues.glands import LARGEST, RIM, Glands, glands_in
from napari_relay.tissues.labels import Grade
from napari_relay.tissues.plan import CorePlan
from napari_relay.tissues.regions import margin_of
from napari_relay.tissues.waves import Points

STEP = 4
"""Pixels between the points."""
MARGIN = 40
"""Pixels around a tile that are computed, too: nuclei reach out of them."""
FUSION = {False: 6.0, True: 11.0}
"""Pixels within which two circles flow together: acini, and those of healthy glands."""
REACH = 80.0
"""Pixels beyond which a circle is not felt."""
CORD_SPACING = 50.0
"""Pixels between lattice points of the field along whose zeros the cords run."""
CORD_HALF_WIDTH = 10.0
"""In pixels."""
FAR = 1e3
"""Distance to what is not there."""


class _Circles(NamedTuple):
    """Distances to circles."""

    outline: Points
    """To the one that a point is deepest in."""
    lumen: Points
    """To what is left of it without its rim."""
    fused: Points
    """To all, flowing together."""


@dataclass(frozen=True, eq=False)
class Anatomy:
    """Distances in pixels, negative inside, on the coarse points of a tile."""

    plan: CorePlan
    """Of the core."""
    tile: tuple[int, int]
    """Row and column of the tile."""

    @cached_property
    def grid(self) -> SampleGrid:
        """The coarse points."""
        rows, cols = (
            np.arange(k * TILE - MARGIN, (k + 1) * TILE + MARGIN + STEP, STEP, dtype=np.float64)
            for k in self.tile
        )
        return SampleGrid(rows, cols, float(STEP))

    @cached_property
    def bent(self) -> tuple[Points, Points]:
        """Plan coordinates of the points."""
        return self.plan.bent(*np.meshgrid(self.grid.rows, self.grid.cols, indexing="ij"))

    @cached_property
    def glands(self) -> Glands:
        """All that the points may feel."""
        area = self.grid.area.grown(LARGEST + REACH + self.plan.strays)
        return glands_in(area, self.plan.seed, self.plan.regions)

    @cached_property
    def edge(self) -> Points:
        """Distance to the edge of the core."""
        rows, cols = np.meshgrid(self.grid.rows, self.grid.cols, indexing="ij")
        frayed = layered_noise(self.grid, self._key("edge"), {150.0: 16.0, 36.0: 7.0, 12.0: 4.0})
        middle = (self.plan.side - 1) / 2
        return np.hypot(rows - middle, cols - middle) - self.plan.radius + frayed

    @cached_property
    def grades(self) -> Points:
        """Distance to the nearest site of each grade: ``(grade, rows, cols)``."""
        return self.plan.regions.distances(*self.bent)

    @cached_property
    def deepest(self) -> Points:
        """Distance to the outline of the circle that a point is deepest in."""
        return np.minimum(self._acini.outline, self._healthy.outline)

    @cached_property
    def epithelium(self) -> Points:
        """Distance to epithelium and lumens, whichever the grade."""
        return np.minimum(np.minimum(self._acini.fused, self._healthy.fused), self.cords)

    @cached_property
    def lumen(self) -> Points:
        """Distance to a lumen."""
        folds = smooth_noise(self.grid, self._key("folds"), 30.0)
        waves = 3 * smooth_noise(self.grid, self._key("lumen"), 16.0)
        healthy = self._healthy.fused + np.mean(RIM) + 8 * folds
        return np.minimum(self._acini.lumen, healthy) + waves

    @cached_property
    def cords(self) -> Points:
        """Distance to cords of cells, where the grade is 5."""
        inside = margin_of(self.grades, Grade.GRADE_5)
        if inside.max() < 0:
            return np.full(inside.shape, FAR)
        field = layered_noise(self.grid, self._key("cords"), {CORD_SPACING: 1.0, 190.0: 0.5})
        down, across = np.gradient(field, float(STEP))
        slope = np.maximum(np.hypot(down, across), 0.45 / CORD_SPACING)
        gaps = smooth_noise(self.grid, self._key("gaps"), 40.0)
        thin = CORD_HALF_WIDTH + 26 * np.minimum(gaps + 0.1, 0.12)
        # Nothing of a cord comes near the outline of its region.
        return np.asarray(np.maximum(np.abs(field) / slope - thin, 8 - inside), np.float64)

    def fine(self, values: Points) -> Field:
        """Values at each pixel of the tile, between the points: ``(256, 256)``."""
        between = _between()
        return np.asarray(between @ (values.astype(np.float32) @ between.T), np.float32)

    def at(self, values: Points, rows: Points, cols: Points) -> Points:
        """Values between the points; beyond them, of their edge."""
        down, i = _placed(rows, self.grid.rows)
        across, j = _placed(cols, self.grid.cols)
        upper = values[i, j] + across * (values[i, j + 1] - values[i, j])
        lower = values[i + 1, j] + across * (values[i + 1, j + 1] - values[i + 1, j])
        found: Points = upper + down * (lower - upper)
        return found

    def _key(self, name: str) -> int:
        return derive_key(self.plan.seed, name)

    @cached_property
    def _acini(self) -> _Circles:
        return self._distances(False)

    @cached_property
    def _healthy(self) -> _Circles:
        return self._distances(True)

    def _distances(self, benign: bool) -> _Circles:
        rows, cols = self.bent
        outline, lumen = np.full(rows.shape, FAR), np.full(rows.shape, FAR)
        soft = FUSION[benign]
        felt = np.full(rows.shape, np.exp(-REACH / soft))
        own = self.glands.kept(self.glands.is_benign == benign)
        for *circle, rim in zip(*own[:6], strict=True):
            away = _distance(rows, cols, *map(float, circle))
            np.minimum(outline, away, out=outline)
            np.minimum(lumen, away + rim, out=lumen)
            felt += np.maximum(np.exp(-away / soft) - np.exp(-REACH / soft), 0)
        return _Circles(outline, lumen, -soft * np.log(felt))


def _distance(
    rows: Points, cols: Points, row: float, col: float, radius: float, aspect: float, angle: float
) -> Points:
    """Distance to an ellipse, nearly; exact at its axes."""
    down, across = rows - row, cols - col
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = cos * down + sin * across, (cos * across - sin * down) / aspect
    found: Points = (np.hypot(u, v) - radius) * ((1 + aspect) / 2)
    return found


def _placed(places: Points, points: Points) -> tuple[Points, NDArray[np.intp]]:
    """Share of the way to the next point, and the index of the point before."""
    scaled = np.clip((places - points[0]) / STEP, 0, len(points) - 1.001)
    first = scaled.astype(np.intp)
    return scaled - first, first


def _between() -> Field:
    """Weights ``(pixel, point)`` of linear interpolation."""
    scaled = (np.arange(TILE) + MARGIN) / STEP
    points = np.arange((TILE + 2 * MARGIN) // STEP + 1)
    weights: Field = np.maximum(1 - np.abs(scaled[:, None] - points), 0).astype(np.float32)
    return weights
