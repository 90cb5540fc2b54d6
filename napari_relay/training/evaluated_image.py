"""Images that a model is measured on as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from napari_relay.images import PyramidImage
from napari_relay.images.relief import matching_bands
from napari_relay.inference.crops import check_fit
from napari_relay.training.datasets.dataset import SPLITS, Dataset, Sample, Split
from napari_relay.training.labelled_image import LabelledImage, Opened, for_measuring
from napari_relay.training.mask_labels import MaskLabels
from relay_tokens import Checkpoint, ClassSchema, ModelMetadata, UserError


class EvaluatedImage(NamedTuple):
    """An image that is measured on."""

    name: str
    """As a person knows it."""
    image: LabelledImage
    """Its held-out windows are measured on."""


def dataset_images(
    checkpoint: Checkpoint, dataset: Dataset, split: Split
) -> Iterator[EvaluatedImage]:
    """Open the images of a split one after the other, to learn their sizes.

    Raises
    ------
    UserError
        When one cannot be opened, or has other bands than the model.
    """
    size = checkpoint.model.config.crop_size
    for sample in dataset.of(split):
        opener = partial(_open, sample, checkpoint.metadata)
        yield EvaluatedImage(sample.name, for_measuring(opener, size))


def masked_image(checkpoint: Checkpoint, image: PyramidImage, mask: Path) -> EvaluatedImage:
    """An image with a mask file whose values are the model's classes.

    Raises
    ------
    UserError
        When the mask cannot be opened or does not fit the image, or the image
        has other bands than the model.
    """
    labels = MaskLabels(mask, image, checkpoint.metadata.classes)
    both = Opened(_fitting(image, checkpoint.metadata), labels)
    size = checkpoint.model.config.crop_size
    return EvaluatedImage(image.source.name, for_measuring(lambda: both, size))


def choose_split(dataset: Dataset, wanted: Split | None = None) -> Split:
    """The wanted split, or the first of ``test`` and ``val`` that has images.

    Raises
    ------
    UserError
        When there are no images, naming the splits that have some.
    """
    there = [split for split in SPLITS if dataset.of(split)]
    candidates: Iterable[Split] = [wanted] if wanted else ("test", "val")
    found = next((split for split in candidates if split in there), None)
    if found is None:
        missing = wanted or "test or val"
        raise UserError(
            f"{dataset.folder} has no labelled images of the split {missing}; choose one of "
            f"{', '.join(there)} with --split."
        )
    return found


def check_classes(dataset: Dataset, model: ModelMetadata) -> None:
    """Refuse a dataset whose classes are not the model's.

    Raises
    ------
    UserError
        When names or order differ.
    """
    if dataset.classes.names != model.classes.names:
        raise UserError(
            f"The model {model.name} tells {_listed(model.classes)} apart, but {dataset.folder} "
            f"has {_listed(dataset.classes)}; the classes must have the same names in the same "
            "order."
        )


def _open(sample: Sample, metadata: ModelMetadata) -> Opened:
    image = sample.open_image()
    return Opened(_fitting(image, metadata), sample.open_labels(image))


def _fitting(image: PyramidImage, metadata: ModelMetadata) -> PyramidImage:
    """The image with the model's bands."""
    matched = matching_bands(image, metadata.bands)
    check_fit(matched, metadata)
    return matched


def _listed(classes: ClassSchema) -> str:
    return ", ".join(classes.names)
