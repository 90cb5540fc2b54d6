"""Everything of a landscape on one grid, drawn when it is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.drawn_once import drawn_once
from napari_relay.landscapes.features import FeatureKind
from napari_relay.landscapes.fields import RiceFields, draw_fields
from napari_relay.landscapes.grid import Field, SampleGrid
from napari_relay.landscapes.labels import PlacedFeature, draw_labels
from napari_relay.landscapes.moats import Moats, draw_moats
from napari_relay.landscapes.noise import derive_key, layered_noise, smooth_noise, smooth_step
from napari_relay.landscapes.orthophoto import PALETTES, Orthophoto, sunlight
from napari_relay.landscapes.relief import rough_relief, wide_relief
from napari_relay.landscapes.roads import Roads, draw_roads
from napari_relay.landscapes.site_plan import SitePlan
from napari_relay.landscapes.style import USUAL, LandscapeStyle
from napari_relay.landscapes.vegetation import Vegetation, draw_vegetation
from napari_relay.landscapes.waterways import Waterways, draw_waterways

METRES = 0.5
"""Side of a pixel at scale 1: metres in a plan unit."""
OUTREACH = 16.0
"""Plan units by which the slopes of features may reach out of their core."""
COARSEST_FEATURES = 8.0
"""Plan units between points beyond which features, 42 to 84 across, are left out: they
would be specks, and thousands of them to draw."""
PRECISION = 512.0
"""Elevation is rounded to a 512th of a metre: finer than a laser measures."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The layers of a landscape on a grid; each is drawn once, when it is needed."""

    grid: SampleGrid
    """Where."""
    seed: int
    """Of the landscape."""
    style: LandscapeStyle = USUAL
    """Soil, plan and terrain."""

    @drawn_once
    def placed(self) -> list[PlacedFeature]:
        """Features that meet the grid, unless its points are too far apart to show them."""
        found: list[PlacedFeature] = []
        if self.grid.step > COARSEST_FEATURES:
            return found
        unevenness = self._noise("outlines", 26.0)
        for block in SitePlan(self.seed, self.style.plan).blocks(self.grid.area):
            for feature in block.features(self.grid.area.grown(OUTREACH)):
                rows, cols = part = self.grid.inside(feature.area)
                if rows.start < rows.stop and cols.start < cols.stop:
                    radius = feature.radius(self.grid.cut(rows, cols), unevenness[part])
                    found.append(PlacedFeature(feature, block.is_site, part, radius))
        return found

    @drawn_once
    def moats(self) -> Moats:
        """Moats, canals and banks."""
        return draw_moats(
            self.grid, SitePlan(self.seed, self.style.plan), self._noise("edges", 34.0)
        )

    @drawn_once
    def waterways(self) -> Waterways:
        """Rivers and brooks."""
        return draw_waterways(self.grid, self.seed)

    @drawn_once
    def roads(self) -> Roads:
        """Roads."""
        return draw_roads(self.grid, self.seed)

    @drawn_once
    def fields(self) -> RiceFields:
        """Rice fields."""
        return draw_fields(self.grid, self.seed)

    @drawn_once
    def vegetation(self) -> Vegetation:
        """Forest."""
        return draw_vegetation(self.grid, self.seed)

    @drawn_once
    def labels(self) -> NDArray[np.uint8]:
        """Class of each point, ``(rows, cols)``."""
        return draw_labels(self.placed, self.moats, (self.waterways.river, self.roads.cover))

    @drawn_once
    def elevation(self) -> Field:
        """Metres above the sea, ``(rows, cols)``."""
        rough = rough_relief(self.grid, self.seed, self.style.roughness)
        rough += self.vegetation.residue
        rough += self.fields.rise * (1 - self.built)
        ground = wide_relief(self.grid, self.seed) + rough * (1 - self.water)
        ground += self.waterways.rise * (1 - self.moats.bank) + self.roads.rise
        ground += self._raised() * (1 - self.waterways.river)
        rounded: Field = np.round(ground * np.float32(PRECISION)) / np.float32(PRECISION)
        return rounded

    @drawn_once
    def water(self) -> Field:
        """0 ... 1: how much of a point is open water, whose surface is smooth."""
        water = np.maximum(self.moats.water, self.waterways.river)
        for made in self.placed:
            if made.feature.kind is FeatureKind.BASIN:
                np.maximum(water[made.part], made.cover, out=water[made.part])
        return water

    @drawn_once
    def built(self) -> Field:
        """0 ... 1: how much of a point is dug, heaped up or stony: no field, no forest."""
        built = np.maximum(self.moats.bank, self.moats.water)
        for made in self.placed:
            np.maximum(built[made.part], made.cover, out=built[made.part])
        return built

    @drawn_once
    def photograph(self) -> NDArray[np.uint8]:
        """Red, green and blue, ``(rows, cols, 3)``."""
        colors, plants, ways = PALETTES[self.style.soil], self.vegetation, self.waterways
        photo = Orthophoto(self.grid.shape, colors)
        photo.lay_ground(self._dryness(), self.fields, plants)
        photo.paint(colors.water, ways.brook)
        photo.paint(colors.bank, 0.95 * self.moats.bank, light=8 * plants.shrubs)
        photo.paint(colors.water, self.moats.water, light=plants.shrubs)
        photo.paint_features(self.placed, plants.shrubs)
        open_sky = (1 - self.water) * (1 - 0.45 * self.built) * (1 - 0.9 * self.moats.bank)
        photo.paint(
            colors.crown, plants.canopy * open_sky, light=20 * plants.crowns + 6 * plants.shrubs
        )
        photo.paint(colors.river, ways.river, light=plants.shrubs)
        photo.paint(colors.road, self.roads.cover, light=5 * plants.shrubs)
        return photo.developed(sunlight(self.elevation, METRES * self.grid.step))

    def _raised(self) -> Field:
        """Metres by which moats, banks and features raise or lower the ground."""
        raised = self.moats.rise
        for made in self.placed:
            raised[made.part] += made.feature.rise(made.radius)
        return raised

    def _dryness(self) -> Field:
        key = derive_key(self.seed, "dryness")
        patches = layered_noise(self.grid, key, {800.0: 0.7, 130.0: 0.4, 14.0: 0.3})
        return smooth_step(patches, -1.0, 1.0)

    def _noise(self, name: str, spacing: float) -> Field:
        return smooth_noise(self.grid, derive_key(self.seed, name), spacing)
