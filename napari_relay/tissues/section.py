"""A tile of a core as a microscope shows it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.grid import Field, SampleGrid
from napari_relay.landscapes.landscape import TILE
from napari_relay.landscapes.noise import (
    derive_key,
    hashed,
    layered_noise,
    smooth_noise,
    smooth_step,
)
from napari_relay.tissues.anatomy import Anatomy
from napari_relay.tissues.labels import Grade
from napari_relay.tissues.nuclear_stain import draw_nuclei
from napari_relay.tissues.nuclei import nuclei_in
from napari_relay.tissues.plan import CorePlan
from napari_relay.tissues.stains import Stains
from napari_relay.tissues.waves import Points

WRAP = 46.0
"""Pixels around a gland within which the fibres of stroma bend around it."""
SHARP = 1.1
"""Pixels over which one tissue becomes another."""
PERIOD = 120.0
"""Pixels after which all waves across fibres repeat, but for their phases."""
GRAIN = 4.0
"""Noise of the camera, in colour values from lowest to highest."""


@dataclass(frozen=True, eq=False)
class Section:
    """The pixels of one tile; each layer is drawn once, when it is needed."""

    plan: CorePlan
    """Of the core."""
    tile: tuple[int, int]
    """Row and column of the tile, of 256 × 256 pixels."""

    @cached_property
    def anatomy(self) -> Anatomy:
        """Distances to what the tissue is made of."""
        return Anatomy(self.plan, self.tile)

    @cached_property
    def grid(self) -> SampleGrid:
        """The pixels."""
        rows, cols = (np.arange(k * TILE, (k + 1) * TILE, dtype=np.float64) for k in self.tile)
        return SampleGrid(rows, cols, 1.0)

    @cached_property
    def labels(self) -> NDArray[np.uint8]:
        """Grade of each pixel, ``(256, 256)``; glass is benign."""
        distances = [self.anatomy.fine(part) for part in self.anatomy.grades]
        grades = np.argmin(distances, axis=0).astype(np.uint8)
        return np.where(self.anatomy.fine(self.anatomy.edge) < 0, grades, np.uint8(Grade.BENIGN))

    def color(self, stains: Stains) -> NDArray[np.uint8]:
        """Red, green and blue, ``(256, 256, 3)``."""
        tissue = self._inside(self.anatomy.edge)
        lumen = self._inside(self.anatomy.lumen)
        epithelium = self._inside(self.anatomy.epithelium) * (1 - lumen)
        stroma = 1 - np.maximum(epithelium, lumen)
        stroma *= 1 - self._slits()
        haematoxylin, eosin = self._stroma(stroma)
        self._add_epithelium(epithelium, haematoxylin, eosin)
        eosin += lumen * self._secretion()
        nuclei = draw_nuclei(nuclei_in(self.anatomy, self._direction), self.tile)
        chromatin = self._noise("chromatin", 2.6)
        haematoxylin += 1.55 * nuclei * (1 + 0.22 * chromatin)
        eosin *= 1 - 0.45 * np.minimum(nuclei, 1)
        thickness = tissue * (1 + 0.07 * self._noise("thickness", 240.0))
        return stains.color(haematoxylin * thickness, eosin * thickness, self._grain())

    def _inside(self, distance: Points) -> Field:
        return 1 - smooth_step(self.anatomy.fine(distance), -SHARP, SHARP)

    @cached_property
    def _course(self) -> Points:
        """What is alike along a fibre of stroma; about 1 more a pixel across it."""
        anatomy, key = self.anatomy, derive_key(self.plan.seed, "course")
        angle = key % 1024 / 1024 * np.pi
        rows, cols = anatomy.bent
        straight = np.cos(angle) * rows + np.sin(angle) * cols
        wavy = layered_noise(anatomy.grid, key, {320.0: 150.0, 110.0: 26.0, 40.0: 6.0})
        around = np.minimum(anatomy.epithelium, np.abs(anatomy.edge) + 30)
        found: Points = straight + wavy + 2.2 * WRAP * np.exp(-np.maximum(around, 0) / WRAP)
        return found

    @cached_property
    def _direction(self) -> Points:
        """Of the fibres at the coarse points, in radians from the rows' direction."""
        down, across = np.gradient(self._course)
        found: Points = np.arctan2(down, -across)
        return found

    @cached_property
    def _across(self) -> Field:
        """:attr:`_course` at each pixel."""
        first = self._course[0, 0]
        return self.anatomy.fine(self._course - first) + np.float32(first % PERIOD)

    def _fibres(self) -> Field:
        """About -1 ... 1 across the fibres of stroma."""
        total = self.grid.zeros()
        for length, share, spacing in ((30.0, 0.3, 60.0), (12.0, 0.5, 26.0), (5.0, 0.45, 14.0)):
            phase = 4.5 * self._noise(f"phase {length}", spacing)
            strength = np.clip(0.6 + 0.9 * self._noise(f"strength {length}", spacing), 0, 1.4)
            total += share * strength * self._wave(length, phase)
        return total

    def _slits(self) -> Field:
        """0 ... 1: white gaps between fibres, and where glands shrank from the stroma."""
        loose: Field = self._noise("loose", 140.0) + 0.6 * self._noise("looser", 38.0)
        wave = self._wave(40.0, 7 * self._noise("gaps", 52.0))
        between = smooth_step(np.asarray(wave + 0.5 * loose, np.float32), 1.25, 1.41)
        around = self.anatomy.fine(self.anatomy.epithelium)
        shrunk = 5 * self._noise("shrunk", 70.0) + 2 * self._noise("shrunken", 21.0) - 1.5
        near = np.asarray(shrunk - np.abs(around - 2.5), np.float32)
        between *= np.float32(0.8) * smooth_step(around, 2.0, 8.0)
        return np.maximum(between, smooth_step(near, 0.0, 1.4))

    def _wave(self, length: float, phase: Field) -> Field:
        """A wave across the fibres; ``length``, in pixels, divides :data:`PERIOD`."""
        return np.asarray(np.sin(self._across * np.float32(2 * np.pi / length) + phase), np.float32)

    def _stroma(self, cover: Field) -> tuple[Field, Field]:
        """Haematoxylin and eosin of stroma."""
        muscle = smooth_step(self._noise("muscle", 260.0), -0.3, 0.7)
        texture = 0.14 * self._fibres()
        texture += 0.05 * (self._noise("fine", 3.1) + self._noise("coarse", 9.0))
        eosin = cover * (0.36 + 0.14 * muscle + (0.8 + 0.4 * muscle) * texture)
        haematoxylin = cover * (0.07 + 0.05 * texture - 0.02 * muscle)
        return np.maximum(haematoxylin, 0), np.maximum(eosin, 0)

    def _add_epithelium(self, cover: Field, haematoxylin: Field, eosin: Field) -> None:
        """Add cytoplasm: foamy, darker at the surface of the lumen and at the base."""
        inner = self.anatomy.fine(self.anatomy.lumen)
        outer = self.anatomy.fine(self.anatomy.epithelium)
        rim = np.exp(-np.square((inner - 1.5) / 2.2)) + 0.8 * np.exp(-np.square((outer + 1) / 1.8))
        foam = 0.07 * self._noise("foam", 6.5) + 0.05 * self._noise("granules", 2.4)
        tone = 0.06 * self._noise("tone", 90.0)
        haematoxylin += cover * (0.21 + tone + 0.10 * rim + foam)
        eosin += cover * (0.30 - 0.5 * tone + 0.12 * rim + foam)

    def _secretion(self) -> Field:
        """Eosin of what lies in some lumens."""
        some = smooth_step(self._noise("secretion", 170.0), 0.45, 0.8)
        shreds = self._noise("shreds", 19.0) + 0.6 * self._noise("crumbs", 5.0)
        return 0.2 * some * smooth_step(shreds, -0.3, 0.9)

    def _grain(self) -> Field:
        rows, cols = (np.arange(k * TILE, (k + 1) * TILE) for k in self.tile)
        key = derive_key(self.plan.seed, "grain")
        return np.float32(GRAIN) * (hashed(key, rows[:, None], cols[None]) - np.float32(0.5))

    def _noise(self, name: str, spacing: float) -> Field:
        return smooth_noise(self.grid, derive_key(self.plan.seed, name), spacing)
