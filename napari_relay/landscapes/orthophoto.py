"""The colours of a landscape from above."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.features import FeatureKind
from napari_relay.landscapes.fields import RiceFields
from napari_relay.landscapes.grid import Field
from napari_relay.landscapes.labels import PlacedFeature
from napari_relay.landscapes.style import Soil
from napari_relay.landscapes.vegetation import Vegetation

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Palette:
    """Red, green and blue, 0 to 255, of all that a photograph shows."""

    grass: Color = (124, 134, 82)
    """Of wet ground."""
    dry: Color = (172, 152, 104)
    """Grass of dry ground."""
    rice: Color = (104, 142, 66)
    """Of a green field."""
    stubble: Color = (188, 172, 116)
    """Of a ripe or harvested field."""
    field_bank: Color = (92, 106, 56)
    """Between parcels."""
    crown: Color = (46, 74, 38)
    """Of trees."""
    water: Color = (58, 78, 82)
    """Of moats, canals, brooks and basins."""
    river: Color = (112, 104, 76)
    """Water of rivers."""
    bank: Color = (204, 126, 80)
    """Along moats and around basins."""
    road: Color = (196, 176, 148)
    """Of roads."""
    stone: Color = (150, 142, 132)
    """Of platforms."""
    mound: Color = (150, 136, 86)
    """Of mounds."""


PALETTES = {
    Soil.LATERITE: Palette(),
    Soil.LOESS: Palette(
        grass=(146, 140, 92),
        dry=(196, 180, 140),
        rice=(150, 152, 84),
        stubble=(214, 196, 140),
        field_bank=(128, 118, 78),
        crown=(66, 80, 46),
        water=(104, 108, 88),
        river=(134, 122, 96),
        bank=(216, 196, 150),
        road=(210, 204, 190),
        stone=(142, 118, 92),
        mound=(186, 164, 112),
    ),
}
"""Colours of each soil."""

SUN_STRENGTH = 0.55
"""How much a slope of 1 towards the sun brightens the photograph."""


class Orthophoto:
    """A photograph that is painted layer by layer.

    Parameters
    ----------
    shape
        Rows and columns.
    colors
        Of everything.
    """

    def __init__(self, shape: tuple[int, int], colors: Palette) -> None:
        self._colors = colors
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
        for band, (wet, dry) in enumerate(zip(self._colors.grass, self._colors.dry, strict=True)):
            self._bands[band] = wet + (dry - wet) * dryness + soft
        crop = farmed.cover * 0.85
        for band, (green, ripe) in enumerate(
            zip(self._colors.rice, self._colors.stubble, strict=True)
        ):
            target = green + (ripe - green) * farmed.tone + 0.5 * soft
            self._bands[band] += crop * (target - self._bands[band])
        self.paint(self._colors.field_bank, farmed.cover * farmed.bank)

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
                self.paint(
                    self._colors.bank, 0.4 * np.maximum(1 - np.abs(radius - 1.1) / 0.15, 0), part
                )
                self.paint(self._colors.water, cover, part, 10 * feature.tone + shrubs[part])
            elif feature.kind is FeatureKind.PLATFORM:
                self.paint(
                    self._colors.stone, 0.8 * cover, part, 14 * feature.tone + 16 * shrubs[part]
                )
            else:
                self.paint(
                    self._colors.mound, 0.6 * cover, part, 12 * feature.tone + 9 * shrubs[part]
                )

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
