"""Polygons of a vector file, read where they are needed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.images.grid import Grid, same_crs
from napari_relay.training.datasets.outlines import Shapes, mended
from relay_tokens import UserError

Bounds = tuple[float, float, float, float]
"""Least x, least y, largest x, largest y."""
IN_BATCH = 5_000
"""Features that are read at once where a file can be read in parts."""
IN_PARTS = (".gpkg", ".fgb", ".shp")
"""Suffixes of files of which a part is found without reading all."""
STRAIGHT = 0.05
"""Pixels by which an edge may be displaced that is straight in one system and bent in another."""
_MOST_POINTS = 1_000


class Polygon(NamedTuple):
    """One polygon, with its parts and holes."""

    kind: str
    """What the file says it is."""
    shape: shapely.Geometry
    """A polygon or several, without heights."""


class Features(NamedTuple):
    """Features of a layer, as the file has them."""

    numbers: NDArray[np.int64]
    """``(n,)`` feature ids."""
    shapes: Shapes
    """``(n,)`` geometries without heights; None where there is none."""
    words: NDArray[np.object_]
    """``(n,)`` what the column says; None where it says nothing."""


@dataclass(frozen=True)
class PolygonLayer:
    """One layer of a vector file."""

    path: Path
    """A GeoPackage, or whatever GDAL reads."""
    layer: str | int
    """Name of the layer, or its place."""
    column: str | None
    """Which column says what a polygon is; None: none does."""
    crs: str | None
    """Coordinate reference system; None when the file names none."""
    copy: Path | bytes | None = field(default=None, repr=False)
    """What is read in place of the file: a copy, or its content in another form."""

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
        features = self._read(bounds)
        return [
            Polygon(str(word), shape)
            for word, shape in zip(features.words, mended(features.shapes).shapes, strict=True)
            if shape is not None
        ]

    def features(self, bounds: Bounds | None = None) -> Features:
        """Read all features as they are, or those that may reach into ``bounds``, in :attr:`crs`.

        Raises
        ------
        UserError
            When the file vanished or is damaged.
        """
        return self._read(bounds)

    @property
    def is_in_parts(self) -> bool:
        """Whether a part of the file is found without reading all of it."""
        source = self._source
        return isinstance(source, Path) and source.suffix.lower() in IN_PARTS

    def count(self) -> int:
        """Number of features.

        Raises
        ------
        UserError
            When the file vanished or is damaged.
        """
        import pyogrio

        with self._reading():
            info = pyogrio.read_info(self._source, self.layer, force_feature_count=True)
        return int(info["features"])

    def batches(self) -> Iterator[Features]:
        """Read all features as they are, part by part where the file can be read so.

        Raises
        ------
        UserError
            When the file vanished or is damaged.
        """
        if not self.is_in_parts:
            yield self._read(None)
            return
        for first in range(0, self.count(), IN_BATCH):
            yield self._read(None, first=first, count=IN_BATCH)

    def read_in(self, grid: Grid) -> list[Polygon]:
        """Read the polygons that may reach into a grid, in the grid's system.

        A file or a grid without a system is taken to have the other's.

        Raises
        ------
        UserError
            When the file vanished, or its system cannot be brought to the grid's.
        """
        found = self.read(self.bounds_of(grid))
        shapes = self.moved([polygon.shape for polygon in found], grid.crs)
        return [Polygon(p.kind, shape) for p, shape in zip(found, shapes, strict=True)]

    def bounds_of(self, grid: Grid) -> Bounds:
        """Bounds of a grid in this layer's system.

        Raises
        ------
        UserError
            When the grid's system cannot be brought to the layer's.
        """
        with self._projecting(grid.crs):
            return _bounds(grid, self.crs)

    def moved(
        self, shapes: Sequence[shapely.Geometry], crs: str | None, tolerance: float = 0.0
    ) -> list[shapely.Geometry]:
        """Shapes of this layer in another system; as they are where one is not known.

        Parameters
        ----------
        shapes
            In this layer's system, in which their edges are straight.
        crs
            The other system.
        tolerance
            Edges get corners until none is displaced by more, in the other system's
            unit; 0: only their ends are brought over.

        Raises
        ------
        UserError
            When the layer's system cannot be brought to the other.
        """
        with self._projecting(crs):
            return _moved(shapes, self.crs, crs, tolerance)

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
        return set(map(str, self.words()))

    def words(self) -> NDArray[np.object_]:
        """What the column says of each feature, without their outlines; None for nothing."""
        return self._read(None, has_shapes=False).words

    @property
    def _source(self) -> Path | bytes:
        return self.path if self.copy is None else self.copy

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Say what to do where the file cannot be read."""
        from pyogrio import errors

        kinds = errors.DataSourceError, errors.DataLayerError, errors.FeatureError
        try:
            yield
        except kinds as error:
            raise unreadable(self.path) from error

    def _read(
        self,
        bounds: Bounds | None,
        *,
        has_shapes: bool = True,
        first: int = 0,
        count: int | None = None,
    ) -> Features:
        """Features in ``bounds``, or ``count`` from the ``first`` one on."""
        from pyogrio import raw

        columns = [] if self.column is None else [self.column]
        with self._reading():
            _, numbers, geometry, values = raw.read(
                self._source,
                self.layer,
                columns=columns,
                bbox=bounds,
                force_2d=True,
                read_geometry=has_shapes,
                return_fids=True,
                skip_features=first,
                max_features=count,
            )
        lost = np.full(len(numbers), None, dtype=object)
        shapes = lost if geometry is None else shapely.from_wkb(geometry, on_invalid="ignore")
        words = np.asarray(values[0], dtype=object) if values else lost
        return Features(np.asarray(numbers, np.int64), shapes, words)


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
    require_geo(path)
    import pyogrio

    try:
        layers = [pyogrio.read_info(path, name) for name, _ in pyogrio.list_layers(path)]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise unreadable(path) from error
    for info in layers:
        for column in columns:
            if column in info["fields"]:
                return PolygonLayer(path, info["layer_name"], column, info["crs"])
    raise UserError(
        f"{path} has no layer with the column {' or '.join(columns)}; "
        "copy the file of the dataset again."
    )


def _moved(
    shapes: Sequence[shapely.Geometry], crs: str | None, onto: str | None, tolerance: float
) -> list[shapely.Geometry]:
    if not len(shapes) or crs is None or onto is None or same_crs(crs, onto):
        return list(shapes)
    from rasterio.warp import transform

    def project(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(transform(crs, onto, points[:, 0], points[:, 1]))

    corners = np.array(shapes)
    if tolerance > 0:
        corners = _with_corners(corners, project, tolerance)
    found: list[shapely.Geometry] = shapely.transform(corners, project).tolist()
    return found


def _with_corners(
    shapes: Shapes, project: Callable[[NDArray[np.float64]], NDArray[np.float64]], tolerance: float
) -> Shapes:
    """Shapes whose edges are so short that they stay straight, but for ``tolerance``.

    An edge's middle is displaced by the square of its length, as a chord's of an arc.
    """
    points, ring = shapely.get_coordinates(shapes, return_index=True)
    starts, ends = points[:-1], points[1:]
    lengths = np.hypot(*(ends - starts).T) * (ring[:-1] == ring[1:])
    bent = project((starts + ends) / 2) - (project(starts) + project(ends)) / 2
    offsets = np.where(lengths > 0, np.hypot(*bent.T), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        longest = lengths * np.sqrt(tolerance / offsets)
    known = np.isfinite(longest) & (offsets > tolerance)
    if not known.any():
        return shapes
    step = max(float(longest[known].min()), float(lengths.max()) / _MOST_POINTS)
    made: Shapes = shapely.segmentize(shapes, step)
    return made


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


def require_geo(path: Path) -> None:
    """Refuse to go on without the libraries that read and draw polygons.

    Raises
    ------
    UserError
        When pyogrio or rasterio is not installed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("pyogrio", "rasterio")):
        raise UserError(f'{path} needs pyogrio and rasterio; run: pip install "napari-relay[geo]".')


def unreadable(path: Path) -> UserError:
    """What is said of a file that cannot be read."""
    return UserError(f"{path} is missing or is not a vector file that can be read; copy it again.")
