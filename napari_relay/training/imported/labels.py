"""The classes of a file as labels of an image."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.training.imported.class_mapping import ClassMapping
from napari_relay.training.imported.found import ImportProgress, ImportSummary
from napari_relay.training.imported.mask_pixels import open_mask
from napari_relay.training.imported.polygons import ImportedPolygons
from napari_relay.training.imported.vector_file import CLASS_COLUMNS, open_vector_file
from napari_relay.training.labels import Labels
from relay_tokens import ClassSchema, UserError

VECTOR_SUFFIXES = (
    ".geojson", ".json", ".shp", ".gpkg", ".fgb", ".kml", ".gml", ".parquet", ".gdb",
)  # fmt: skip
"""Suffixes of files that are read as polygons; all others are masks."""


class ImportedFile(Protocol):
    """A mask or polygons, laid over an image; nothing is read before it is asked for."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def image(self) -> PyramidImage:
        """What it is laid over."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Of a vector file: all that could say the class."""

    @property
    def window(self) -> Window:
        """What of the image it may cover, level-0 pixels."""

    def survey(self) -> Iterator[ImportProgress]:
        """Find out what it says; the summary comes last."""

    def read(self, window: Window, mapping: ClassMapping) -> Labels:
        """Values ``(height, width)``; ``elsewhere`` where it says nothing, 255 off the image."""


@dataclass(frozen=True, eq=False)
class ImportedLabels:
    """A file with the meaning of its classes; a :class:`~napari_relay.training.LabelSource`."""

    file: ImportedFile
    """What is read."""
    mapping: ClassMapping
    """What its classes mean."""

    @property
    def window(self) -> Window:
        """What of the image it says something of."""
        return self.file.window if self.mapping.elsewhere == 255 else self.file.image.window

    def read(self, window: Window) -> Labels:
        """Read ``(height, width)`` values; 255 where nothing is said."""
        return self.file.read(window, self.mapping)


def open_import(
    path: str | Path, image: PyramidImage, schema: ClassSchema, column: str | None = None
) -> ImportedFile:
    """Lay a file of classes over an image.

    Parameters
    ----------
    path
        A mask (see :func:`open_mask`), or a vector file that GDAL reads:
        coordinates are brought to the image's system, or are its pixels where it
        has none, as in QuPath's GeoJSON.
    image
        What it is laid over.
    schema
        The classes that are suggested for those of the file.
    column
        Which column of a vector file says the class; None: the one that most
        likely does.

    Raises
    ------
    UserError
        When the file cannot be read, or does not fit the image.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; choose another file.")
    if path.suffix.lower() not in VECTOR_SUFFIXES:
        return open_mask(path, image, schema)
    file = open_vector_file(path)
    chosen = column or file.best_column(schema)
    if chosen is None and file.columns:
        raise UserError(
            f"{path} has no column that is called {', '.join(CLASS_COLUMNS[:-1])} or "
            f"{CLASS_COLUMNS[-1]}; name the one with the class, of {', '.join(file.columns)}."
        )
    return ImportedPolygons(path, image, schema, file, chosen)


def survey(file: ImportedFile) -> ImportSummary:
    """Look a file through to its end.

    Raises
    ------
    UserError
        When it cannot be read, or says nothing.
    """
    summary = None
    for progress in file.survey():
        summary = progress.summary or summary
    assert summary is not None  # a survey that ends has one
    return summary
