"""Connected objects of a prediction as polygons."""

from __future__ import annotations

from napari_relay.exporting.vectors.export import export_objects
from napari_relay.exporting.vectors.finding import iter_objects
from napari_relay.exporting.vectors.options import Dialect, ObjectOptions, ObjectType
from napari_relay.exporting.vectors.polygons import ObjectPolygon, iter_polygons
from napari_relay.exporting.vectors.predicted_object import PredictedObject
from napari_relay.exporting.vectors.within import draw_area, geometry_in_pixels, outlines_in_pixels

__all__ = [
    "Dialect",
    "ObjectOptions",
    "ObjectPolygon",
    "ObjectType",
    "PredictedObject",
    "draw_area",
    "export_objects",
    "geometry_in_pixels",
    "iter_objects",
    "iter_polygons",
    "outlines_in_pixels",
]
