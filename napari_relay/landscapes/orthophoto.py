"""The colours of a landscape from above."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.features import FeatureKind
from napari_relay.landscapes.fields import RiceFields
from napari_relay.landscapes.grid import Field
from napari_relay.landscapes.labels import PlacedFeature
from napari_relay.landscapes.vegetation import Vegetation

Color = tuple[float, float, float]

GRASS: Color = (124, 134, 82)
DRY: Color = (172, 152, 104)
RICE: Color = (104, 142, 66)
STUBBLE: Color = (188, 172, 116)
FIELD_BANK: Color = (92, 106, 56)
CROWN: Color = (46, 74, 38)
WATER: Color = (58, 78, 82)
RIVER: Color = (112, 104, 76)
LATERITE: Color = (204, 126, 80)
ROAD: Color = (196, 176, 148)
STONE: Color = (150, 142, 132)
MOUND: Color = (150, 136, 86)

SUN_STRENGTH = 0.55
"""How much a slope of 1 towards the sun brightens the photograph."""


class Orthophoto:
    """A photograph that is painted layer by layer.

    Parameters
    ----------
    shape
        Rows and columns.
    """

    def __init__(self, shape: tuple[int, int]) -> None:
        self._bands = np.empty((3, *shape), np.float32)

    def lay_ground(self, dryness: Field, farmed: RiceFields, plants: Vegetation) -> None:
        """Paint grass and rice fields; what was there is lost.

        Parameters
        ----------
        dryness
            0 ... 1, from green to dry grass.
        farmed, plants
            On the same grid.
        """
        soft = 6 * plants.shrubs
        for band, (wet, dry) in enumerate(zip(GRASS, DRY, strict=True)):
            self._bands[band] = wet + (dry - wet) * dryness + soft
        crop = farmed.cover * 0.85
        for band, (green, ripe) in enumerate(zip(RICE, STUBBLE, strict=True)):
            target = green + (ripe - green) * farmed.tone + 0.5 * soft
            self._bands[band] += crop * (target - self._bands[band])
        self.paint(FIELD_BANK, farmed.cover * farmed.bank)

    def paint(
        self,
        color: Color,
        cover: Field,
        part: tuple[slice, slice] = (slice(None), slice(None)),
        light: Field | float = 0.0,
    ) -> None:
        """Paint one colour over a part.

        Parameters
        ----------
        color
            Red, green, blue, 0 to 255.
        cover
            0 ... 1 on the part.
        part
            Rows and columns.
        light
            Added to the colour, in the same units.
        """
        for band, value in enumerate(color):
            below = self._bands[band][part]
            below += cover * (value + light - below)

    def paint_features(self, placed: Iterable[PlacedFeature], shrubs: Field) -> None:
        """Paint mounds, basins and platforms."""
        for made in placed:
            feature, part, radius, cover = made.feature, made.part, made.radius, made.cover
            if feature.kind is FeatureKind.BASIN:
                self.paint(LATERITE, 0.4 * np.maximum(1 - np.abs(radius - 1.1) / 0.15, 0), part)
                self.paint(WATER, cover, part, 10 * feature.tone + shrubs[part])
            elif feature.kind is FeatureKind.PLATFORM:
                self.paint(STONE, 0.8 * cover, part, 14 * feature.tone + 16 * shrubs[part])
            else:
                self.paint(MOUND, 0.6 * cover, part, 12 * feature.tone + 9 * shrubs[part])

    def developed(self, light: Field) -> NDArray[np.uint8]:
        """The photograph, ``(rows, cols, 3)``, under a light of 1 on level ground."""
        lit = np.clip(self._bands * light + 0.5, 0, 255).astype(np.uint8)
        return np.ascontiguousarray(lit.transpose(1, 2, 0))


def sunlight(elevation: Field, spacing: float) -> Field:
    """Brightness under a sun in the north-west, 1 on level ground.

    Parameters
    ----------
    elevation
        ``(rows, cols)`` in metres.
    spacing
        Metres between neighbouring points.
    """
    down, across = np.gradient(elevation, np.float32(spacing))
    return np.asarray(np.clip(1 + SUN_STRENGTH * (down + across), 0.55, 1.45), np.float32)
