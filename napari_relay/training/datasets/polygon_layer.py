"""Polygons of a vector file, read where they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.images.grid import Grid, same_crs
from relay_tokens import UserError

Bounds = tuple[float, float, float, float]
"""Least x, least y, largest x, largest y."""
POLYGONS = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
"""Kinds of geometry that have an area."""


class Polygon(NamedTuple):
    """One polygon, with its parts and holes."""

    kind: str
    """What the file says it is."""
    shape: shapely.Geometry
    """A polygon or several, without heights."""


@dataclass(frozen=True)
class PolygonLayer:
    """One layer of a vector file."""

    path: Path
    """A GeoPackage, or whatever GDAL reads."""
    layer: str
    """Name of the layer."""
    column: str
    """Which column says what a polygon is."""
    crs: str | None
    """Coordinate reference system; None when the file names none."""

    def read(self, bounds: Bounds | None = None) -> list[Polygon]:
        """Read polygons in the file's order and system.

        Parameters
        ----------
        bounds
            In :attr:`crs`: only those that may reach in; None for all.

        Raises
        ------
        UserError
            When the file vanished or is damaged.
        """
        geometry, kinds = self._read(bounds)
        shapes = shapely.from_wkb(geometry)
        solid = np.isin(shapely.get_type_id(shapes), POLYGONS) & ~shapely.is_empty(shapes)
        return [Polygon(str(k), s) for k, s in zip(kinds[solid], shapes[solid], strict=True)]

    def read_in(self, grid: Grid) -> list[Polygon]:
        """Read the polygons that may reach into a grid, in the grid's system.

        A file or a grid without a system is taken to have the other's.

        Raises
        ------
        UserError
            When the file vanished, or its system cannot be brought to the grid's.
        """
        with self._projecting(grid.crs):
            bounds = _bounds(grid, self.crs)
        found = self.read(bounds)
        shapes = self.moved([polygon.shape for polygon in found], grid.crs)
        return [Polygon(p.kind, shape) for p, shape in zip(found, shapes, strict=True)]

    def moved(self, shapes: Sequence[shapely.Geometry], crs: str | None) -> list[shapely.Geometry]:
        """Shapes of this layer in another system; as they are where one is not known."""
        with self._projecting(crs):
            return _moved(shapes, self.crs, crs)

    @contextmanager
    def _projecting(self, crs: str | None) -> Iterator[None]:
        """Say what to do where two systems have nothing to do with each other."""
        try:
            yield
        # PROJ's refusals come as many kinds of exception, which rasterio does not publish.
        except Exception as error:
            raise UserError(
                f"{self.path} has a coordinate reference system that cannot be brought to that "
                f"of the image, {crs}; assign it the right one, e.g. with ogr2ogr -a_srs."
            ) from error

    def kinds(self) -> set[str]:
        """All that the layer's features are said to be."""
        _, kinds = self._read(None, has_shapes=False)
        return set(map(str, kinds))

    def _read(
        self, bounds: Bounds | None, *, has_shapes: bool = True
    ) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """Geometry as WKB if it is asked for, and :attr:`column`."""
        from pyogrio import errors, raw

        try:
            _, _, geometry, (kinds,) = raw.read(
                self.path,
                self.layer,
                columns=[self.column],
                bbox=bounds,
                force_2d=True,
                read_geometry=has_shapes,
            )
        except (errors.DataSourceError, errors.DataLayerError, errors.FeatureError) as error:
            raise _unreadable(self.path) from error
        return geometry, np.asarray(kinds, dtype=object)


def open_polygons(path: Path, columns: Sequence[str]) -> PolygonLayer:
    """Find the first layer that has one of some columns.

    Parameters
    ----------
    path
        The vector file.
    columns
        Names of the column that says what a polygon is, the preferred one first.

    Raises
    ------
    UserError
        When the file cannot be read or has no such layer, or when pyogrio or
        rasterio is not installed.
    """
    try:
        import pyogrio
        import rasterio  # noqa: F401  (without it, the polygons cannot be drawn)
    except ImportError as error:
        raise UserError(
            f'{path} needs pyogrio and rasterio; run: pip install "napari-relay[geo]".'
        ) from error
    try:
        layers = [pyogrio.read_info(path, name) for name, _ in pyogrio.list_layers(path)]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise _unreadable(path) from error
    for info in layers:
        for column in columns:
            if column in info["fields"]:
                return PolygonLayer(path, info["layer_name"], column, info["crs"])
    raise UserError(
        f"{path} has no layer with the column {' or '.join(columns)}; "
        "copy the file of the dataset again."
    )


def _moved(
    shapes: Sequence[shapely.Geometry], crs: str | None, onto: str | None
) -> list[shapely.Geometry]:
    if not shapes or crs is None or onto is None or same_crs(crs, onto):
        return list(shapes)
    from rasterio.warp import transform

    def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transform(crs, onto, points[:, 0], points[:, 1]))

    found: list[shapely.Geometry] = shapely.transform(np.array(shapes), project).tolist()
    return found


def _bounds(grid: Grid, crs: str | None) -> Bounds:
    """Bounds of a grid in another system."""
    rows, cols = grid.shape
    corners = np.array([[0, cols, 0, cols], [0, 0, rows, rows], [1, 1, 1, 1]])
    x, y, _ = grid.matrix @ corners
    bounds = float(x.min()), float(y.min()), float(x.max()), float(y.max())
    if grid.crs is None or crs is None or same_crs(grid.crs, crs):
        return bounds
    from rasterio.warp import transform_bounds

    west, south, east, north = transform_bounds(grid.crs, crs, *bounds)
    return west, south, east, north


def _unreadable(path: Path) -> UserError:
    return UserError(f"{path} is missing or is not a vector file that can be read; copy it again.")
