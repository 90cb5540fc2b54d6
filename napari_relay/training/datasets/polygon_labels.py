"""Labels drawn from polygons, window by window."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.images.grid import Affine, Extent, Grid
from napari_relay.training.datasets.polygon_layer import PolygonLayer
from napari_relay.training.labels import Labels
from relay_tokens import IGNORE_INDEX, UserError


@dataclass(frozen=True)
class PolygonFile:
    """Polygons that show classes inside a surveyed area."""

    layer: PolygonLayer
    """The polygons."""
    classes: Mapping[str, int]
    """Class of each kind of polygon, 255 for one that is not labelled; where
    polygons overlap, the kind that comes later here is seen."""
    background: int
    """Class of the area outside all polygons."""
    area: shapely.Geometry
    """What was surveyed; outside nothing is labelled."""
    parcels: PolygonLayer
    """Where the area comes from."""

    def open(self, image: PyramidImage) -> PolygonLabels:
        """Lay the polygons over an image.

        Raises
        ------
        UserError
            When the image does not say where it lies, or the area's coordinates
            cannot be brought to its own.
        """
        affine = image.affine or _affine(image.source)
        if affine is None:
            raise UserError(
                f"{image.source} does not say where it lies, so the polygons of "
                f"{self.layer.path} have no place on it; copy the GeoTIFF of the dataset again."
            )
        grid = Grid(image.shape, affine, image.crs)
        (area,) = self.parcels.moved([self.area], grid.crs)
        return PolygonLabels(self, grid, area)


@dataclass(frozen=True, eq=False)
class PolygonLabels:
    """Polygons seen on a grid. A pixel belongs to what its centre lies in."""

    file: PolygonFile
    """What is drawn."""
    grid: Grid
    """Of the image's level 0."""
    area: shapely.Geometry
    """Surveyed area in the grid's system."""

    def read(self, window: Window) -> Labels:
        """Draw ``(height, width)`` classes; 255 outside the image and the surveyed area."""
        labels = np.full((window.height, window.width), IGNORE_INDEX, dtype=np.uint8)
        inside = window.intersection(Window(0, 0, *self.grid.shape))
        if inside.area:
            place = Window(inside.y0 - window.y0, inside.x0 - window.x0, *inside[2:])
            labels[place.slices] = self._drawn(inside)
        return labels

    def _drawn(self, window: Window) -> Labels:
        """Classes of a window inside the image."""
        part = self.grid.cut(Extent(window.y0, window.x0, window.y1, window.x1))
        surveyed = _burnt([(self.area, 1)], part, 0)
        rank = {kind: place for place, kind in enumerate(self.file.classes)}
        found = sorted(self.file.layer.read_in(part), key=lambda polygon: rank[polygon.kind])
        shapes = [(polygon.shape, self.file.classes[polygon.kind]) for polygon in found]
        classes = _burnt(shapes, part, self.file.background)
        return np.where(surveyed, classes, IGNORE_INDEX).astype(np.uint8)


def _affine(path: Path) -> Affine | None:
    """Affine of a raster that names no coordinate reference system, if it has one."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path) as raster:
            place = raster.transform
    return None if place.is_identity else (place.a, place.b, place.c, place.d, place.e, place.f)


def _burnt(shapes: list[tuple[shapely.Geometry, int]], grid: Grid, fill: int) -> Labels:
    """Value of the last shape that each pixel centre lies in; ``(rows, cols)``."""
    from rasterio import Affine as Transform
    from rasterio.features import rasterize

    if not shapes:
        return np.full(grid.shape, fill, dtype=np.uint8)
    burnt: Labels = rasterize(
        shapes, grid.shape, fill=fill, transform=Transform(*grid.affine), dtype="uint8"
    )
    return burnt
