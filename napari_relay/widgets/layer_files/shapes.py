"""Vector files as Shapes layers."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from napari import current_viewer
from napari.layers import Labels

from napari_relay.exporting.placement import Placement
from napari_relay.images import PyramidImage
from napari_relay.images.grid import require_rasterio, same_crs
from napari_relay.widgets.image_layer import placement as image_placement
from napari_relay.widgets.layer_files.classes import classes_of
from napari_relay.widgets.layer_files.found_shapes import FoundShapes, read_shapes, vector_layers
from napari_relay.widgets.layer_files.outlines import corners_of, in_pixels
from napari_relay.widgets.layer_files.place import PLACE_KEY, LayerPlace, only_image
from napari_relay.widgets.layer_files.vectors import has_pyogrio
from relay_tokens import PALETTE, UserError

VECTOR_SUFFIXES = (".geojson", ".shp", ".gpkg")
"""Suffixes of vector files; a GeoPackage may hold rasters instead."""
_FACE = "40"
"""Opacity of a face: a quarter, as the two digits that follow a colour's six."""
_DEGREES = np.array([180.5, 90.5, 180.5, 90.5])
_METRES_A_DEGREE = 111_320.0

LayerData = tuple[Any, dict[str, Any], str]


def is_vector(path: Path) -> bool:
    """Whether a file holds shapes and not pixels."""
    suffix = path.suffix.lower()
    if suffix != ".gpkg":
        return suffix in VECTOR_SUFFIXES
    return has_pyogrio() and bool(vector_layers(path))


def shapes_layers(path: Path) -> list[LayerData]:
    """One Shapes layer for each layer of a vector file.

    They lie over the image that is open, if it is the only one: by their
    coordinates if it has any, else as pixels ``(x, y)`` from its corner.
    Without an image they lie in a frame of their own, in metres if they can.

    Raises
    ------
    UserError
        When the file cannot be read, or has too many shapes.
    """
    names = vector_layers(path)
    if not names:
        raise UserError(f"{path} is damaged or no vector file; export it anew.")
    layers = []
    for name in names:
        title = path.stem if len(names) == 1 else f"{path.stem}: {name}"
        layers.append(_layer(path, read_shapes(path, name), title))
    return layers


def _layer(path: Path, found: FoundShapes, title: str) -> LayerData:
    image = only_image()
    place = _own_place(found) if image is None else LayerPlace.of(image)
    shapes = in_pixels(_projected(path, found, place.placement), place.placement)
    areas = shapely.get_type_id(np.array(shapes, dtype=object)) == shapely.GeometryType.POLYGON
    colors = _colors(found)
    sizes = _frame(place, image)
    arguments: dict[str, Any] = {
        "name": title,
        "shape_type": ["polygon" if area else "path" for area in areas],
        "edge_color": colors,
        "face_color": [color + _FACE for color in colors],
        "edge_width": _edge_width(shapes),
        "features": {"class": list(found.classes)},
        "metadata": {PLACE_KEY: place},
        **sizes,
    }
    return [corners_of(shape) for shape in shapes], arguments, "shapes"


def _frame(place: LayerPlace, image: PyramidImage | None) -> dict[str, Any]:
    if image is not None:
        return image_placement(image)
    size, unit = place.placement.pixel_size, place.placement.unit
    return {"scale": size, "units": (unit, unit)} if size and unit == "m" else {}


def _own_place(found: FoundShapes) -> LayerPlace:
    """A frame from the upper left corner of the shapes: far from it float32 is too coarse."""
    x0, y0, x1, y1 = found.bounds
    if found.crs is None or _is_in_pixels(found):
        return LayerPlace((int(y1) + 1, int(x1) + 1), Placement())
    degrees = bool((np.abs(found.bounds) <= _DEGREES).all())
    step, unit = (1 / _METRES_A_DEGREE, "degree") if degrees else (1.0, "m")
    placed = Placement((step, step), unit, found.crs, (step, 0.0, x0, 0.0, -step, y1))
    return LayerPlace((int((y1 - y0) / step) + 1, int((x1 - x0) / step) + 1), placed)


def _is_in_pixels(found: FoundShapes) -> bool:
    """Whether coordinates that should be degrees cannot be: QuPath writes pixels as GeoJSON."""
    in_degrees = found.crs is not None and same_crs(found.crs, "EPSG:4326")
    return in_degrees and bool((np.abs(found.bounds) > _DEGREES).any())


def _projected(path: Path, found: FoundShapes, placement: Placement) -> list[shapely.Geometry]:
    """The shapes in the system of a place; as they are where one is not known."""
    shapes, crs = list(found.shapes), placement.crs
    if placement.affine is None or found.crs is None or crs is None or same_crs(found.crs, crs):
        return shapes
    require_rasterio()
    from rasterio.warp import transform

    def project(points: Any) -> Any:
        return np.column_stack(transform(found.crs, crs, points[:, 0], points[:, 1]))

    try:
        moved: list[shapely.Geometry] = shapely.transform(np.array(shapes), project).tolist()
    # PROJ's refusals come as many kinds of exception, which rasterio does not publish.
    except Exception as error:
        raise UserError(
            f"{path} cannot be brought to the coordinate reference system of the image; assign "
            "it the right one, e.g. with ogr2ogr -a_srs."
        ) from error
    return moved


def _colors(found: FoundShapes) -> list[str]:
    """Of each shape: what the file says, else what its class has in the viewer, else a new one."""
    known = _known_colors()
    fresh = count()
    for name in dict.fromkeys(found.classes):
        known.setdefault(name, PALETTE[next(fresh) % len(PALETTE)])
    pairs = zip(found.classes, found.colors, strict=True)
    return [color or known[name] for name, color in pairs]


def _known_colors() -> dict[str, str]:
    """Colours of the classes of the Labels layers in the viewer."""
    viewer = current_viewer()
    layers = [] if viewer is None else [la for la in viewer.layers if isinstance(la, Labels)]
    found: dict[str, str] = {}
    for layer in layers:
        for member in classes_of({"features": layer.features, "colormap": layer.colormap}) or ():
            found.setdefault(member.name, member.color)
    return found


def _edge_width(shapes: list[shapely.Geometry]) -> float:
    """Thin as seen with all shapes in view."""
    x0, y0, x1, y1 = shapely.total_bounds(np.array(shapes, dtype=object))
    return float(max((x1 - x0) / 500, (y1 - y0) / 500, 1.0))
