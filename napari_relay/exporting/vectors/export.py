"""Objects of a prediction as a file of polygons."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path

from napari_relay.exporting.progress import ExportProgress
from napari_relay.exporting.vectors.finding import ALL, ObjectFinder
from napari_relay.exporting.vectors.geojson import GeoJsonWriter
from napari_relay.exporting.vectors.gis_file import FORMATS, SHAPEFILE, GisWriter
from napari_relay.exporting.vectors.options import Dialect, ObjectOptions
from napari_relay.exporting.vectors.packages import require
from napari_relay.exporting.vectors.placing import in_degrees, in_world
from napari_relay.exporting.vectors.polygons import outlines_of
from napari_relay.exporting.vectors.qupath import qupath_properties
from napari_relay.exporting.vectors.strips import read_strips, strip_count
from napari_relay.exporting.vectors.table import columns_of
from napari_relay.exporting.vectors.writer import ObjectWriter
from napari_relay.exporting.whole import whole_file, whole_files
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore
from relay_tokens import UserError

GEOJSON = (".geojson", ".json")
SUFFIXES = (*FORMATS, *GEOJSON)
"""GeoPackage, Shapefile and GeoJSON."""
_QUPATH = ".qupath"


def export_objects(
    store: PredictionStore, image: PyramidImage, path: str | Path, options: ObjectOptions = ALL
) -> Iterator[ExportProgress]:
    """Write the objects of a prediction as polygons, strip by strip.

    An object is what hangs together by pixel edges, whatever tiles it lies in;
    holes are kept. ``.gpkg`` and ``.shp`` are in the image's CRS; ``.geojson``
    is in longitude and latitude (RFC 7946), or for QuPath, see
    :attr:`ObjectOptions.dialect`. Without a CRS, and for QuPath, coordinates are
    level-0 pixel corners ``(x, y)``.

    Parameters
    ----------
    store
        The prediction. What is not predicted is no object.
    image
        What was predicted.
    path
        The file; what was there is replaced once the new one is whole.
    options
        Which objects are wanted, and how.

    Yields
    ------
    ExportProgress
        After each strip of the store.

    Raises
    ------
    UserError
        When the file cannot be written, its suffix is none of :data:`SUFFIXES`, a class
        is not the model's, the image is not what was predicted or cannot be brought to
        longitude and latitude, or a package is missing; nothing is left behind then.
    """
    path = Path(path)
    _check(path)
    finder = ObjectFinder(store, image, options, outlines_of(store, image, options))
    total = strip_count(store)
    with (
        _whole(path) as scratch,
        closing(_writer(store, image, path, scratch, options)) as writer,
    ):
        for done, strip in enumerate(read_strips(store), 1):
            for found in finder.find(strip):
                writer.write(found)
            if done < total:
                yield ExportProgress(path, done, total)
        writer.finish()
    yield ExportProgress(path, total, total)


def dialect_of(path: Path, image: PyramidImage, options: ObjectOptions) -> Dialect:
    """How GeoJSON is written, see :attr:`ObjectOptions.dialect`."""
    if options.dialect is not None:
        return options.dialect
    if path.stem.lower().endswith(_QUPATH):
        return "qupath"
    return "qupath" if image.affine is None and image.unit == "um" else "gis"


def _whole(path: Path) -> AbstractContextManager[Path]:
    return whole_files(path) if FORMATS.get(path.suffix.lower()) is SHAPEFILE else whole_file(path)


def _writer(
    store: PredictionStore,
    image: PyramidImage,
    path: Path,
    scratch: Path,
    options: ObjectOptions,
) -> ObjectWriter:
    kind = FORMATS.get(path.suffix.lower())
    if kind is not None:
        place = partial(in_world, image=image)
        return GisWriter(scratch, path, kind, columns_of(store), place, image.crs)
    if dialect_of(path, image, options) == "qupath":
        properties = qupath_properties(store, options.object_type)
        return GeoJsonWriter(scratch, lambda shapes: shapes, properties)
    place = partial(in_world if image.crs is None else in_degrees, image=image)
    *columns, _ = columns_of(store)  # the id is the feature's own
    return GeoJsonWriter(scratch, place, lambda one: {c.name: c.read(one) for c in columns})


def _check(path: Path) -> None:
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise UserError(
            f"{path} cannot be written as {suffix or 'a file without a suffix'}; choose a name "
            "that ends in .gpkg, .geojson or .shp."
        )
    if suffix in FORMATS:
        require("pyogrio", str(path))
