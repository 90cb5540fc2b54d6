"""What a model is trained on: labelled images, their classes and their bands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_stack
from napari_relay.images.band_statistics import BandStatistics
from napari_relay.training.datasets.dataset import Dataset, Sample
from napari_relay.training.imported.training_labels import training_labels
from napari_relay.training.labelled_image import (
    LabelledImage,
    Opened,
    for_measuring,
    for_training,
    labelled_image,
)
from napari_relay.training.labels import LabelSource, compute_labels
from napari_relay.training.normalization import estimate_normalization
from napari_relay.training.recipes import label_recipe, recipe_names
from napari_relay.training.splits import split_image
from relay_tokens import ClassSchema, Normalization, UserError

ELEVATION = "elevation"
"""End of the name of a band of terrain."""
IN_MEMORY = 200_000_000
"""Labels of images up to this many pixels are computed once and kept in memory."""
LOOKED_AT = 12
"""Images whose bands are measured, and places along each side of them."""


@dataclass(frozen=True)
class TrainingData:
    """Labelled images that go together."""

    images: tuple[LabelledImage, ...]
    """At least one has room for training crops, and one is measured on."""
    classes: ClassSchema
    """What the label values mean."""
    bands: tuple[str, ...]
    """Of every image."""
    normalization: tuple[Normalization, ...]
    """How a model sees each band: one word a band."""
    pixel_size: float | None
    """Side of a pixel of the first image, in :attr:`unit`."""
    unit: str | None
    """Of the pixel size."""
    description: str
    """What the images are, for the model card."""
    labels: str
    """Where the labels come from, for the model card."""
    held_out: str
    """What is measured on, for the model card."""

    def statistics(self) -> BandStatistics:
        """Mean and spread of each band where it is trained, as its normalisation asks."""
        trained = [image for image in self.images if image.trainable_area]
        spread = np.linspace(0, len(trained) - 1, min(LOOKED_AT, len(trained))).astype(int)
        images = [trained[number] for number in spread]
        found = {
            word: estimate_normalization(
                ((image.open().image, _windows(image, word)) for image in images), word
            )
            for word in set(self.normalization)
        }
        mean, std = (
            tuple(found[word][field][band] for band, word in enumerate(self.normalization))
            for field in (0, 1)
        )
        return BandStatistics(mean, std)


@dataclass(frozen=True)
class _SampleOpener:
    """Opens a sample of a dataset."""

    sample: Sample

    def __call__(self) -> Opened:
        image = self.sample.open_image()
        return Opened(image, self.sample.open_labels(image))


def image_data(
    paths: Sequence[Path],
    labels: str,
    class_names: Sequence[str],
    crop_size: int,
    held_out: float,
    seed: int,
    words: Sequence[str] = (),
    column: str | None = None,
) -> TrainingData:
    """Train on one image, some blocks of which are held out.

    Parameters
    ----------
    paths
        Any image :func:`napari_relay.images.open_image` reads, or several rasters
        of one place, which become one (:func:`napari_relay.images.open_stack`).
    labels
        Name of a recipe, or a mask or vector file.
    class_names
        What the values 0, 1, ... of a mask mean, and the names in a vector file;
        recipes know theirs.
    crop_size
        Side of a local crop.
    held_out
        Share of the image that is measured on, 0 to 1.
    seed
        Of the choice of blocks.
    words
        What other classes of a file mean, see ``ClassMapping.told``.
    column
        Column of a vector file that says the class.

    Raises
    ------
    UserError
        When a file or a name does not fit.
    """
    image = open_stack(paths)
    source, classes, words, text = _labels_of(image, labels, class_names, words, column)
    split = split_image(image.shape, crop_size, held_out, seed, source)
    return TrainingData(
        images=(labelled_image(image, source, split),),
        classes=classes,
        bands=image.bands,
        normalization=words,
        pixel_size=_pixel_size(image),
        unit=image.unit,
        description=" + ".join(path.name for path in image.sources),
        labels=text,
        held_out="blocks of the same image that no training crop touched",
    )


def dataset_data(dataset: Dataset, crop_size: int, held_out: float, seed: int) -> TrainingData:
    """Train on a dataset's images of ``train``, and measure on those of ``val``.

    Without ``val``, whole images of ``train`` are held out where there are five
    or more, and else blocks of each image.

    Parameters
    ----------
    dataset
        What is learnt.
    crop_size
        Side of a local crop.
    held_out
        Share that is measured on where the dataset does not say.
    seed
        Of that choice.

    Raises
    ------
    UserError
        When there is nothing to train on, or an image cannot be opened.
    """
    train, val = list(dataset.of("train")), list(dataset.of("val"))
    if not train:
        raise UserError(f"{dataset.folder} has no images to train on; see the split it asks for.")
    official = bool(val)
    if not official and len(train) >= 5:
        order = np.random.default_rng([seed, 5]).permutation(len(train))
        count = max(round(held_out * len(train)), 1)
        val = [train[i] for i in sorted(order[:count])]
        train = [train[i] for i in sorted(order[count:])]
    first = train[0].open_image()
    return TrainingData(
        images=_images(train, val, crop_size, held_out, seed),
        classes=dataset.classes,
        bands=dataset.bands,
        normalization=_terrain_normalization(dataset.bands, first),
        pixel_size=_pixel_size(first),
        unit=first.unit,
        description=f"{dataset.name}: {_images_text(len(train))} ({dataset.source})",
        labels=f"of the dataset {dataset.name}",
        held_out=_held_out_text(official, len(val)),
    )


def _images(
    train: Sequence[Sample], val: Sequence[Sample], crop_size: int, held_out: float, seed: int
) -> tuple[LabelledImage, ...]:
    if val:
        return (
            *(for_training(_SampleOpener(sample), crop_size) for sample in train),
            *(for_measuring(_SampleOpener(sample), crop_size) for sample in val),
        )
    openers = [_SampleOpener(sample) for sample in train]
    return tuple(
        LabelledImage(
            split_image(opened.image.shape, crop_size, held_out, seed, opened.labels), opener
        )
        for opener in openers
        for opened in (opener(),)
    )


def _held_out_text(official: bool, count: int) -> str:
    if official:
        return f"{_images_text(count)} of the dataset's split `val`"
    return f"{_images_text(count)} not trained on" if count else "blocks of the same images"


def _images_text(count: int) -> str:
    return "1 image" if count == 1 else f"{count} images"


def _labels_of(
    image: PyramidImage,
    labels: str,
    class_names: Sequence[str],
    words: Sequence[str],
    column: str | None,
) -> tuple[LabelSource, ClassSchema, tuple[Normalization, ...], str]:
    """Labels, classes, normalisation of each band, and where the labels come from."""
    if labels in recipe_names():
        recipe = label_recipe(labels, image)
        small = image.window.area <= IN_MEMORY
        computed: LabelSource = compute_labels(recipe, image.shape) if small else recipe
        seen = (recipe.normalization,) * len(image.bands)
        return computed, recipe.classes, seen, f"recipe `{labels}`, computed from the image"
    if not Path(labels).exists():
        raise UserError(
            f"There are no labels {labels!r}; name a mask or vector file, or one of the recipes "
            f"{', '.join(recipe_names())}."
        )
    if not class_names:
        raise UserError(f"The classes of {labels} have no names; give one for each with --classes.")
    classes = ClassSchema.from_names(class_names)
    found = training_labels(Path(labels), image, classes, words, column)
    text = f"file `{Path(labels).name}`"
    return found, classes, _terrain_normalization(image.bands, image), text


def _terrain_normalization(bands: Sequence[str], image: PyramidImage) -> tuple[Normalization, ...]:
    """Terrain is seen around its local mean, any other band as it is."""
    if len(bands) == 1 and np.issubdtype(image.dtype, np.floating):
        return ("local",)
    terrain = [band.lower().endswith(ELEVATION) for band in bands]
    return tuple("local" if found else "fixed" for found in terrain)


def _pixel_size(image: PyramidImage) -> float | None:
    return max(image.pixel_size) if image.pixel_size else None


def _windows(image: LabelledImage, normalization: str) -> list[Window]:
    """Training windows spread over an image, as wide as a local crop.

    For ``local`` a quarter of that: the relief of features, not of hills.
    """
    split = image.split
    side, whole = split.crop_size, split.image
    spots = [
        Window(y, x, side, side)
        for y in range(0, whole.height, max(whole.height // LOOKED_AT, 1))
        for x in range(0, whole.width, max(whole.width // LOOKED_AT, 1))
    ]
    allowed = [w for w in spots if split.allows(w)]
    if normalization == "local":
        return [Window(w.y0, w.x0, max(side // 4, 1), max(side // 4, 1)) for w in allowed]
    return allowed
