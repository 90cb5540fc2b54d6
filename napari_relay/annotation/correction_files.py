"""Corrections of an image from where they were kept: the app's folder, or a mask."""

from __future__ import annotations

from pathlib import Path

from napari_relay.annotation.corrections import CorrectionStore
from napari_relay.images.pyramid import PyramidImage
from napari_relay.training.corrected_image import CorrectedImage
from napari_relay.training.mask_corrections import MaskCorrections
from relay_tokens import ModelMetadata, UserError


def read_corrected(
    image: PyramidImage, corrections: Path, metadata: ModelMetadata
) -> CorrectedImage:
    """Put an image and what was painted over it together.

    Parameters
    ----------
    image
        With the bands that the model reads.
    corrections
        A folder of corrections that the app keeps, or a mask file on the image's grid with the
        values of :mod:`~napari_relay.training.correction_values`.
    metadata
        The model's.

    Raises
    ------
    UserError
        When they are not there, or of another image or other classes.
    """
    if not corrections.exists():
        raise UserError(f"There are no corrections {corrections}; name a folder or a mask file.")
    if not corrections.is_dir():
        return CorrectedImage(image, MaskCorrections(corrections, image, metadata))
    store = CorrectionStore.open(corrections, read_only=True)
    if store.shape != image.shape:
        raise UserError(
            f"The corrections {corrections} are for {store.shape[0]} × {store.shape[1]} pixels, "
            f"{image.source} has {image.shape[0]} × {image.shape[1]}; name those of this image."
        )
    if store.schema.names != metadata.classes.names:
        raise UserError(
            f"The corrections {corrections} are for the classes {', '.join(store.schema.names)}, "
            f"the model for {', '.join(metadata.classes.names)}; "
            "choose the model that was corrected."
        )
    return CorrectedImage(image, store)
