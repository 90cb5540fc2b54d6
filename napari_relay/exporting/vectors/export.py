"""Objects of a prediction as a file of polygons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from napari_relay.exporting.progress import ExportProgress
from napari_relay.exporting.vectors.finding import ALL
from napari_relay.exporting.vectors.options import ObjectOptions
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore

SUFFIXES = (".gpkg", ".geojson", ".shp", ".fgb")
"""GeoPackage, GeoJSON, Shapefile and FlatGeobuf; ``.json`` is GeoJSON too."""


def export_objects(
    store: PredictionStore, image: PyramidImage, path: Path, options: ObjectOptions = ALL
) -> Iterator[ExportProgress]:
    """Write the objects of a prediction as polygons; see ``docs/exporting.md``.

    Raises
    ------
    UserError
        When the file cannot be written or its suffix is none of :data:`SUFFIXES`.
    """
    raise NotImplementedError
