"""Corrections from files that other programs made."""

from __future__ import annotations

from pathlib import Path

from napari_relay.annotation.corrections import CorrectionStore
from napari_relay.annotation.history import Step
from napari_relay.annotation.imported_mask import mask_painting
from napari_relay.annotation.imported_polygons import polygons_painting
from napari_relay.annotation.painting import Painting, paint
from napari_relay.annotation.step_log import StepLog
from napari_relay.images import PyramidImage
from relay_tokens import ClassSchema, UserError

VECTOR_SUFFIXES = (
    ".geojson", ".json", ".shp", ".gpkg", ".fgb", ".kml", ".gml", ".parquet", ".gdb",
)  # fmt: skip
"""Suffixes of files that are read as polygons; all others are masks."""


def imported_painting(
    path: str | Path, image: PyramidImage, schema: ClassSchema, column: str | None = None
) -> Painting:
    """What a mask or a vector file corrects; see ``mask_painting`` and ``polygons_painting``.

    Raises
    ------
    UserError
        When the file cannot be read, or says something that is no class.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path} does not exist; choose another file.")
    if path.suffix.lower() in VECTOR_SUFFIXES:
        return polygons_painting(path, image, schema, column)
    return mask_painting(path, image, schema)


def import_corrections(
    store: CorrectionStore, image: PyramidImage, path: str | Path, column: str | None = None
) -> dict[int, int]:
    """Paint a mask or the polygons of a vector file into corrections, and save them.

    Parameters
    ----------
    store
        What is painted in; what the file says nothing of stays.
    image
        The image of these corrections.
    path
        A raster with one band of values, or a vector file with a class column.
    column
        Which column says what a polygon is.

    Returns
    -------
    dict[int, int]
        How many pixels got each value.

    Raises
    ------
    UserError
        When the file cannot be read or says something that is no class: then
        nothing is changed.
    """
    step = Step(tool=f"import {Path(path).name}")
    for _ in paint(store.pyramid, imported_painting(path, image, store.schema, column), step):
        pass
    if step:
        StepLog(store).made(step)
    store.flush()
    return step.counts
