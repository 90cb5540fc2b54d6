"""Corrections from the polygons of a vector file."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.annotation.painting import Patch
from napari_relay.annotation.values import allowed_values, value_names
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.images.grid import Grid
from napari_relay.training.datasets.polygon_layer import PolygonLayer, open_polygons
from relay_tokens import IGNORE_INDEX, ClassSchema, UserError

CLASS_COLUMNS = ("class", "class_name", "classname", "label", "classification", "name", "type")
"""Names of the column that says what a polygon is, the preferred one first; in any case."""


class PolygonFilePainting:
    """Polygons with a value each; a pixel belongs to the last one that its centre lies in.

    Parameters
    ----------
    shapes
        In level-0 pixel corners ``(x, y)``.
    labels
        The value of each.
    """

    def __init__(self, shapes: Sequence[shapely.Geometry], labels: Sequence[int]) -> None:
        self._shapes: NDArray[np.object_] = np.array(shapes, dtype=object)
        self._labels = labels

    @cached_property
    def _tree(self) -> shapely.STRtree:
        return shapely.STRtree(self._shapes)

    @property
    def window(self) -> Window:
        """The smallest window around them; may reach beyond the image."""
        left, top, right, bottom = shapely.total_bounds(self._shapes)
        y0, x0 = int(np.floor(top)), int(np.floor(left))
        return Window(y0, x0, int(np.ceil(bottom)) - y0, int(np.ceil(right)) - x0)

    def patch(self, window: Window) -> Patch | None:
        """Draw the polygons that meet a window."""
        from rasterio import Affine
        from rasterio.features import rasterize

        box = shapely.box(window.x0, window.y0, window.x1, window.y1)
        found = sorted(int(i) for i in self._tree.query(box, predicate="intersects"))
        if not found:
            return None
        labels = rasterize(
            [(self._shapes[i], self._labels[i]) for i in found],
            (window.height, window.width),
            fill=IGNORE_INDEX,
            transform=Affine.translation(window.x0, window.y0),
            dtype="uint8",
        )
        mask = labels != IGNORE_INDEX
        return Patch(mask, labels) if mask.any() else None


def vector_columns(path: Path) -> list[str]:
    """Names of all columns of a vector file's layers.

    Raises
    ------
    UserError
        When it cannot be read.
    """
    import pyogrio

    try:
        layers = [pyogrio.read_info(path, name) for name, _ in pyogrio.list_layers(path)]
    except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError) as error:
        raise UserError(f"{path} is not a vector file that can be read; export it anew.") from error
    return list(dict.fromkeys(str(field) for info in layers for field in info["fields"]))


def polygons_painting(
    path: Path, image: PyramidImage, schema: ClassSchema, column: str | None = None
) -> PolygonFilePainting:
    """Corrections from a GeoPackage, GeoJSON, Shapefile or whatever else GDAL reads.

    Coordinates are brought to the image's system. Those for an image that does
    not say where it lies are its level-0 pixels, ``(x, y)`` from the corner of
    the first one.

    Parameters
    ----------
    path
        The file.
    image
        What is corrected.
    schema
        Its classes: the column has their names, in any case, or their numbers;
        also ``ignored`` or ``not`` and a name.
    column
        Which column says what a polygon is; None: the first of
        :data:`CLASS_COLUMNS` that there is.

    Raises
    ------
    UserError
        When the file cannot be read, has no such column or no polygon, or says
        something that is no class.
    """
    layer = open_polygons(path, [column or _class_column(path)])
    grid = Grid(image.shape, image.affine or (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), image.crs)
    found = layer.read()
    if not found:
        raise UserError(f"{path} has no polygons; lines and points have no inside to be corrected.")
    labels = _labels(path, layer, [polygon.kind for polygon in found], schema)
    shapes = layer.moved([polygon.shape for polygon in found], grid.crs)
    return PolygonFilePainting(_in_pixels(shapes, grid), labels)


def _class_column(path: Path) -> str:
    columns = vector_columns(path)
    lower = {name.lower(): name for name in reversed(columns)}
    for name in CLASS_COLUMNS:
        if name in lower:
            return lower[name]
    raise UserError(
        f"{path} has no column that is called {', '.join(CLASS_COLUMNS[:-1])} or "
        f"{CLASS_COLUMNS[-1]}; rename the one with the class, of {', '.join(columns) or 'none'}."
    )


def _labels(
    path: Path, layer: PolygonLayer, kinds: Sequence[str], schema: ClassSchema
) -> list[int]:
    allowed = allowed_values(schema)
    known = {name.lower(): value for value, name in value_names(schema).items()}
    known |= {str(value): value for value in range(IGNORE_INDEX) if allowed[value]}
    unknown = sorted({kind for kind in kinds if kind.strip().lower() not in known})
    if unknown:
        raise UserError(
            f"{path} says {', '.join(unknown[:8])}{' ...' if len(unknown) > 8 else ''} in its "
            f"column {layer.column}, which is no class of the model ({', '.join(schema.names)}); "
            "rename them there, or delete what is not to be imported."
        )
    return [known[kind.strip().lower()] for kind in kinds]


def _in_pixels(shapes: Sequence[shapely.Geometry], grid: Grid) -> list[shapely.Geometry]:
    inverse = np.linalg.inv(grid.matrix)

    def to_pixels(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(points @ inverse[:2, :2].T + inverse[:2, 2])

    moved: list[shapely.Geometry] = shapely.transform(np.array(shapes), to_pixels).tolist()
    return moved
