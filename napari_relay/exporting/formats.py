"""The formats of an export: one list for the command line, batches and the app."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import shapely

from napari_relay.annotation import CorrectionStore
from napari_relay.exporting.placement import Placement
from napari_relay.exporting.progress import ExportProgress
from napari_relay.exporting.rasters import Quantity, RasterOptions, export_labels, export_raster
from napari_relay.exporting.reporting import ReportOptions, export_report
from napari_relay.exporting.vectors import Dialect, ObjectOptions, export_objects
from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore
from relay_tokens import Checkpoint, UserError

Kind = Literal["raster", "objects", "report", "corrections"]
"""What is exported."""


@dataclass(frozen=True)
class ExportRequest:
    """What is wanted of an export, whatever the format; each takes what concerns it."""

    quantity: Quantity = "classes"
    """What the pixels of a raster are."""
    objects: ObjectOptions = field(default_factory=ObjectOptions)
    """Which objects and classes, and where; a raster is cut to the window around
    ``within``."""
    checkpoint: Checkpoint | None = None
    """The model that predicted, for the card in a report."""
    corrections: CorrectionStore | None = None
    """What was painted over the image."""


Export = Callable[[PredictionStore, PyramidImage, Path, ExportRequest], Iterator[ExportProgress]]


@dataclass(frozen=True)
class ExportFormat:
    """A format, and what writes it."""

    name: str
    """What it is called on the command line."""
    title: str
    """What a person reads, e.g. ``"GeoPackage"``."""
    kind: Kind
    """What it holds."""
    suffix: str
    """How its names end; empty: it is a folder."""
    description: str
    """What it is for, in a few words."""
    run: Export
    """Writes it."""

    def file_name(self, stem: str, request: ExportRequest) -> str:
        """What the export of an image is called in a folder of several."""
        if self.kind == "raster":
            return f"{stem}-{request.quantity}{self.suffix}"
        if self.kind == "objects":
            return f"{stem}{self.suffix}"
        return f"{stem}-{self.kind}{self.suffix}"

    def fits(self, path: Path) -> bool:
        """Whether a path is named as this format is."""
        return bool(self.suffix) and path.name.lower().endswith(self.suffix)


def _raster(
    store: PredictionStore, image: PyramidImage, path: Path, request: ExportRequest
) -> Iterator[ExportProgress]:
    window = _around(request.objects.within, image)
    return export_raster(store, image, path, RasterOptions(request.quantity, window))


def _objects(dialect: Dialect | None) -> Export:
    def run(
        store: PredictionStore, image: PyramidImage, path: Path, request: ExportRequest
    ) -> Iterator[ExportProgress]:
        return export_objects(store, image, path, replace(request.objects, dialect=dialect))

    return run


def _report(
    store: PredictionStore, image: PyramidImage, path: Path, request: ExportRequest
) -> Iterator[ExportProgress]:
    options = ReportOptions(request.objects, request.checkpoint, request.corrections)
    return export_report(store, image, path, options)


def _corrections(
    _store: PredictionStore, image: PyramidImage, path: Path, request: ExportRequest
) -> Iterator[ExportProgress]:
    found = _required(request.corrections, image)
    levels = list(found.pyramid.levels)
    yield ExportProgress(path, 0, 1)
    export_labels(levels, path, found.schema, Placement.of(image), found.shape)
    yield ExportProgress(path, 1, 1)


def _log(
    _store: PredictionStore, image: PyramidImage, path: Path, request: ExportRequest
) -> Iterator[ExportProgress]:
    found = _required(request.corrections, image)
    yield ExportProgress(path, 0, 1)
    found.log.export_csv(path)
    yield ExportProgress(path, 1, 1)


def _required(corrections: CorrectionStore | None, image: PyramidImage) -> CorrectionStore:
    if corrections is None or corrections.is_empty:
        raise UserError(
            f"Nothing of {image.source.name} is corrected; paint corrections first, or choose "
            "another format."
        )
    return corrections


def _around(area: shapely.Geometry | None, image: PyramidImage) -> Window | None:
    """The window around an area in level-0 pixel corners."""
    if area is None:
        return None
    left, top, right, bottom = area.bounds
    y0, x0 = math.floor(top), math.floor(left)
    window = Window(y0, x0, math.ceil(bottom) - y0, math.ceil(right) - x0)
    return window.intersection(image.window)


FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat(
        "cog", "GeoTIFF", "raster", ".tif",
        "Cloud-Optimized GeoTIFF for GIS; of a slide a pyramidal TIFF", _raster,
    ),
    ExportFormat(
        "ome-tiff", "OME-TIFF", "raster", ".ome.tif", "pyramid for QuPath, Fiji, OMERO", _raster
    ),
    ExportFormat(
        "ome-zarr", "OME-Zarr", "raster", ".ome.zarr", "pyramid in chunks, a folder", _raster
    ),
    ExportFormat("png", "PNG", "raster", ".png", "picture, up to 8192 px a side", _raster),
    ExportFormat(
        "gpkg", "GeoPackage", "objects", ".gpkg", "polygons for QGIS and ArcGIS", _objects(None)
    ),
    ExportFormat(
        "geojson", "GeoJSON", "objects", ".geojson",
        "polygons for the web, in longitude and latitude where there is a CRS", _objects("gis"),
    ),
    ExportFormat("shp", "Shapefile", "objects", ".shp", "polygons for older GIS", _objects(None)),
    ExportFormat(
        "qupath", "QuPath", "objects", ".qupath.geojson",
        "annotations for QuPath, in pixels", _objects("qupath"),
    ),
    ExportFormat(
        "report", "Folder: HTML, Markdown, CSV", "report", "",
        "areas, objects, confidence, pictures, model card", _report,
    ),
    ExportFormat("html", "HTML page", "report", ".html", "the report as one file", _report),
    ExportFormat(
        "corrections", "GeoTIFF", "corrections", ".tif",
        "mask of what was painted, as Import… and finetune take it", _corrections,
    ),
    ExportFormat(
        "log", "CSV table", "corrections", ".csv", "who corrected what, when, with which tool", _log
    ),
)  # fmt: skip
"""All formats, in the order in which they are offered."""


def format_named(name: str) -> ExportFormat:
    """The format of a name.

    Raises
    ------
    UserError
        When there is none; it lists those that there are.
    """
    for one in FORMATS:
        if one.name == name.strip().lower():
            return one
    names = ", ".join(one.name for one in FORMATS)
    raise UserError(f"{name!r} is no format of an export; choose from {names}.")


def format_of(path: Path) -> ExportFormat:
    """The format that a file name stands for; of several suffixes the longest counts.

    Raises
    ------
    UserError
        When there is none.
    """
    fitting = [one for one in FORMATS if one.fits(path)]
    if not fitting:
        names = ", ".join(one.name for one in FORMATS)
        raise UserError(f"{path} does not say its format; give --format with any of {names}.")
    return max(fitting, key=lambda one: len(one.suffix))
