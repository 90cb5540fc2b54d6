"""A labelled dataset: its classes, and its samples, which are opened when they are needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol

from napari_relay.images import PyramidImage, open_stack
from napari_relay.training.labels import LabelSource
from relay_tokens import ClassSchema, UserError

Split = Literal["train", "val", "test"]
"""One part of a dataset; see :data:`SPLITS`."""
"""Part of a dataset: learnt from, measured on while training, or only at the end."""
SPLITS: tuple[Split, ...] = ("train", "val", "test")
"""What is learnt, what the best weights are chosen by, and what is reported."""
RGB = ("red", "green", "blue")
"""Bands of a photograph."""


class LabelFile(Protocol):
    """Files that hold the labels of one image."""

    def open(self, image: PyramidImage) -> LabelSource:
        """Open the labels on the image's level-0 grid.

        Raises
        ------
        UserError
            When a file is missing, cannot be read, or does not fit the image.
        """
        ...


@dataclass(frozen=True)
class Sample:
    """One image of a dataset with its labels; neither is opened yet."""

    name: str
    """Unique in the dataset."""
    split: Split
    """What it is used for."""
    files: tuple[Path, ...]
    """The image: one file, or several of the same place that are stacked."""
    bands: tuple[str, ...]
    """Names of the image's bands, the same in all samples of a dataset."""
    labels: LabelFile
    """Where the classes come from."""

    def open_image(self) -> PyramidImage:
        """Open the image lazily, with the dataset's names of the bands.

        Raises
        ------
        UserError
            When a file cannot be opened, or has another number of bands.
        """
        image = open_stack(self.files)
        if len(image.bands) != len(self.bands):
            raise UserError(
                f"{' and '.join(map(str, self.files))} has {len(image.bands)} bands; the other "
                f"images have {len(self.bands)} ({', '.join(self.bands)}); export it like them."
            )
        return replace(image, bands=self.bands)

    def open_labels(self, image: PyramidImage | None = None) -> LabelSource:
        """Open the labels: classes by window at level 0, 255 where there is none.

        Parameters
        ----------
        image
            What :meth:`open_image` gave; without it the image is opened again.

        Raises
        ------
        UserError
            When the labels cannot be opened or do not fit the image.
        """
        return self.labels.open(image or self.open_image())


@dataclass(frozen=True)
class Dataset:
    """The samples of one dataset on disk."""

    name: str
    """As on the command line, e.g. ``cityscapes``."""
    folder: Path
    """Where it lies."""
    classes: ClassSchema
    """What the label values mean."""
    bands: tuple[str, ...]
    """Names of the bands of all images, in order."""
    samples: tuple[Sample, ...]
    """All labelled images, split by split, by name."""
    source: str
    """Who made it, for the model card."""
    notes: tuple[str, ...] = ()
    """Sentences a person should read: what was left out, and why."""

    def of(self, split: Split) -> tuple[Sample, ...]:
        """Samples of one split; empty when there are none."""
        return tuple(sample for sample in self.samples if sample.split == split)
