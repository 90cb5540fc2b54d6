"""The labelled data that ``train`` and ``tune`` are given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer
from rich.console import Console

from napari_relay.cli.class_words import ClassWords

if TYPE_CHECKING:
    from napari_relay.training.training_data import TrainingData

NOTHING_SAID = ClassWords()
"""No ``--map`` and no ``--column``."""


class HeldOut(NamedTuple):
    """What is kept for scores."""

    crop_size: int
    """Side of a local crop, in pixels."""
    share: float
    """Of the image or the dataset."""
    seed: int
    """Of the choice."""


def labelled_data(
    images: list[Path] | None,
    labels: str | None,
    data: str | None,
    classes: str,
    held: HeldOut,
    said: ClassWords = NOTHING_SAID,
) -> TrainingData:
    """Open the dataset ``data``, or the images with their labels where there is none."""
    if data is None:
        return _data_of_image(images, labels, classes, held, said)
    if images or labels or classes or said != NOTHING_SAID:
        raise typer.BadParameter("a dataset has its own images, labels and classes.")
    return _data_of_dataset(data, held)


def _data_of_dataset(data: str, held: HeldOut) -> TrainingData:
    from napari_relay.training.datasets import open_dataset
    from napari_relay.training.training_data import dataset_data

    dataset = open_dataset(data)
    for note in dataset.notes:
        Console(stderr=True, highlight=False).print(note, markup=False, soft_wrap=True)
    return dataset_data(dataset, *held)


def _data_of_image(
    images: list[Path] | None, labels: str | None, classes: str, held: HeldOut, said: ClassWords
) -> TrainingData:
    from napari_relay.training.training_data import image_data

    if not images or labels is None:
        raise typer.BadParameter("name an image and its --labels, or a dataset with --data.")
    names = tuple(part.strip() for part in classes.split(",") if part.strip())
    return image_data(images, labels, names, *held, *said)
