"""Mounds, ponds and platforms: what a site and open country have in common.

A feature knows nothing of who made it. Whether a mound is the work of people is
said by the block it lies in (see :mod:`napari_relay.landscapes.site_plan`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

import numpy as np

from napari_relay.landscapes.grid import Field, Rectangle, SampleGrid
from napari_relay.landscapes.noise import smooth_step

UNEVENNESS = 0.08
"""Share of its radius by which an outline strays, for noise of 1."""
SKIRT = 1.3
"""How far the slope around a feature reaches, in its radii."""


class FeatureKind(Enum):
    """What a feature looks like, whoever made it."""

    MOUND = "mound"
    """A round rise: a mound, or a natural hillock."""
    BASIN = "basin"
    """A hollow with water: a reservoir, or a natural pond."""
    PLATFORM = "platform"
    """A stony, steep-sided platform: a temple site, or a natural outcrop."""


class _Looks(NamedTuple):
    """Ranges from which a kind of feature is drawn."""

    share: float
    """Of all features."""
    radius: tuple[float, float]
    """Longer half axis, in plan units."""
    aspect: tuple[float, float]
    """Shorter half axis over the longer one."""
    squareness: tuple[float, float]
    """Exponent of the superellipse: 2 is an ellipse, 8 nearly a rectangle."""
    relief: tuple[float, float]
    """Height, or depth of a basin, in metres."""


_LOOKS = {
    FeatureKind.MOUND: _Looks(0.36, (21.0, 34.0), (0.78, 1.0), (2.0, 2.6), (1.2, 3.0)),
    FeatureKind.BASIN: _Looks(0.42, (26.0, 42.0), (0.7, 1.0), (2.2, 6.0), (0.9, 1.8)),
    FeatureKind.PLATFORM: _Looks(0.22, (21.0, 34.0), (0.8, 1.0), (5.0, 8.0), (1.5, 3.2)),
}


@dataclass(frozen=True)
class Feature:
    """One mound, basin or platform, in plan units."""

    kind: FeatureKind
    """What it looks like."""
    row: float
    """Of its middle."""
    col: float
    """Of its middle."""
    half_axes: tuple[float, float]
    """Along :attr:`angle`, and across."""
    angle: float
    """From the rows' direction, in radians."""
    squareness: float
    """Exponent of the superellipse."""
    relief: float
    """Height, or depth of a basin, in metres."""
    erosion: float
    """0: sharp edges, 1: worn down and soft."""
    tone: float
    """-1 ... 1: how dark or light it is."""

    @property
    def extent(self) -> tuple[float, float]:
        """Half height and half width of the area that its outline never leaves."""
        return _extent(self.half_axes, self.angle)

    @property
    def area(self) -> Rectangle:
        """What its slopes may reach."""
        (down, across), reach = self.extent, SKIRT
        return Rectangle(
            self.row - reach * down,
            self.row + reach * down,
            self.col - reach * across,
            self.col + reach * across,
        )

    def radius(self, grid: SampleGrid, unevenness: Field) -> Field:
        """Distance from the middle in radii: below 1 inside the outline.

        Parameters
        ----------
        grid
            Where.
        unevenness
            Noise of about -1 ... 1 on the grid, that makes the outline uneven.
        """
        down, across = grid.rows[:, None] - self.row, grid.cols[None, :] - self.col
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        u = np.abs((cos * down + sin * across) / self.half_axes[0]).astype(np.float32)
        v = np.abs((cos * across - sin * down) / self.half_axes[1]).astype(np.float32)
        power = np.float32(self.squareness)
        radius: Field = (u**power + v**power) ** (1 / power)
        return radius * (1 + np.float32(UNEVENNESS) * np.clip(unevenness, -1, 1))

    def rise(self, radius: Field) -> Field:
        """Metres by which the ground is raised, or lowered, at a distance in radii."""
        soft = 0.12 + 0.3 * self.erosion
        if self.kind is FeatureKind.MOUND:
            return self.relief * (1 - smooth_step(radius, 0.25 - 0.2 * self.erosion, 1.2))
        if self.kind is FeatureKind.BASIN:
            rim = np.maximum(1 - np.abs(radius - 1.12) / 0.18, 0)
            hollow: Field = 0.5 * (1 - self.erosion) * rim - self.relief * self.cover(radius)
            return hollow
        steps = sum(1 - smooth_step(radius, edge - soft / 2, edge + soft / 2) for edge in STEPS)
        return np.asarray(self.relief / len(STEPS) * steps, np.float32)

    def cover(self, radius: Field) -> Field:
        """How much of a point the feature hides of the ground, 0 ... 1."""
        soft = 0.08 + 0.12 * self.erosion
        return 1 - smooth_step(radius, 1 - soft, 1 + soft)


STEPS = (1.0, 0.55)
"""Edges of a platform's terraces, in radii."""


def draw_feature(rng: np.random.Generator, place: Rectangle) -> Feature:
    """Draw a feature whose outline stays inside a place."""
    kind = _drawn_kind(rng.random())
    looks = _LOOKS[kind]
    radius, aspect = rng.uniform(*looks.radius), rng.uniform(*looks.aspect)
    angle = rng.uniform(-0.15, 0.15) + (math.pi / 2 if rng.random() < 0.5 else 0.0)
    half_axes = _fitted((radius, radius * aspect), angle, place)
    down, across = _extent(half_axes, angle)
    return Feature(
        kind=kind,
        row=rng.uniform(place.row0 + down, place.row1 - down),
        col=rng.uniform(place.col0 + across, place.col1 - across),
        half_axes=half_axes,
        angle=angle,
        squareness=rng.uniform(*looks.squareness),
        relief=rng.uniform(*looks.relief),
        erosion=rng.uniform(0, 1),
        tone=rng.uniform(-1, 1),
    )


def _drawn_kind(lot: float) -> FeatureKind:
    """The kind that a number from 0 to 1 stands for."""
    for kind, looks in _LOOKS.items():
        lot -= looks.share
        if lot < 0:
            return kind
    return kind


def _fitted(half_axes: tuple[float, float], angle: float, place: Rectangle) -> tuple[float, float]:
    """The half axes, shrunk until the outline fits a place."""
    down, across = _extent(half_axes, angle)
    room = ((place.row1 - place.row0) / 2 - 1, (place.col1 - place.col0) / 2 - 1)
    shrink = min(1.0, room[0] / down, room[1] / across)
    return half_axes[0] * shrink, half_axes[1] * shrink


def _extent(half_axes: tuple[float, float], angle: float) -> tuple[float, float]:
    """Half height and half width of the turned rectangle around an uneven outline."""
    cos, sin = abs(math.cos(angle)), abs(math.sin(angle))
    (a, b), slack = half_axes, 1 / (1 - UNEVENNESS)
    return slack * (a * cos + b * sin), slack * (a * sin + b * cos)
