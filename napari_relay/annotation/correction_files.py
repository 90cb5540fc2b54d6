"""Corrections of an image from where they were kept: the app's folder, a mask, polygons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from napari_relay.annotation.corrections import CorrectionStore
from napari_relay.images.pyramid import PyramidImage
from napari_relay.training.corrected_image import CorrectedImage
from napari_relay.training.imported import (
    VECTOR_SUFFIXES,
    ClassMapping,
    ImportedLabels,
    ImportSummary,
    agreed_mapping,
    open_import,
    refuse_unknown,
    survey,
)
from relay_tokens import ModelMetadata, UserError

Told = Callable[[ImportSummary, ClassMapping], None]
"""Is told what a file has and what its classes become, once all are known."""


def read_corrected(
    image: PyramidImage,
    corrections: Path,
    metadata: ModelMetadata,
    words: Sequence[str] = (),
    column: str | None = None,
    told: Told = lambda _summary, _mapping: None,
) -> CorrectedImage:
    """Put an image and what was painted over it together.

    Parameters
    ----------
    image
        With the bands that the model reads.
    corrections
        A folder of corrections that the app keeps, a mask with the values of
        :mod:`~napari_relay.training.correction_values`, or polygons with a class.
    metadata
        The model's.
    words
        What classes of a file become, each as ``its class=class of the model``.
    column
        Which column of a vector file says the class.
    told
        See :data:`Told`; only of a file.

    Raises
    ------
    UserError
        When they are not there, of another image or other classes, or a class of a file
        is unknown and no word says what it becomes.
    """
    if not corrections.exists():
        raise UserError(f"There are no corrections {corrections}; name a folder or a file.")
    if _is_store(corrections):
        return CorrectedImage(image, _opened(image, corrections, metadata))
    schema = metadata.classes
    file = open_import(corrections, image, schema, column)
    summary = survey(file)
    mapping = agreed_mapping(summary.classes, words, schema)
    refuse_unknown(corrections, mapping, summary.classes, schema)
    told(summary, mapping)
    return CorrectedImage(image, ImportedLabels(file, mapping))


def _is_store(path: Path) -> bool:
    """Whether it is a folder of the app, not a mask or vector file that is a folder too."""
    is_image = (path / "OME").exists() or path.suffix.lower() in (".zarr", *VECTOR_SUFFIXES)
    return path.is_dir() and not is_image


def _opened(image: PyramidImage, path: Path, metadata: ModelMetadata) -> CorrectionStore:
    """Corrections of the app, if they are of this image and this model."""
    store = CorrectionStore.open(path, read_only=True)
    if store.shape != image.shape:
        raise UserError(
            f"The corrections {path} are for {store.shape[0]} × {store.shape[1]} pixels, "
            f"{image.source} has {image.shape[0]} × {image.shape[1]}; name those of this image."
        )
    if store.schema.names != metadata.classes.names:
        raise UserError(
            f"The corrections {path} are for the classes {', '.join(store.schema.names)}, "
            f"the model for {', '.join(metadata.classes.names)}; "
            "choose the model that was corrected."
        )
    return store
