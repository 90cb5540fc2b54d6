"""Images with labels, opened when they are needed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.training.examples import ExampleReader
from napari_relay.training.labels import LabelSource
from napari_relay.training.splits import SpatialSplit
from relay_tokens import ModelMetadata, RelayConfig

KEPT_OPEN = 16
"""Images that are kept open, at most."""


class Opened(NamedTuple):
    """An image and its labels."""

    image: PyramidImage
    """Where the pixels come from."""
    labels: LabelSource
    """Where the classes come from."""


@dataclass(frozen=True)
class LabelledImage:
    """One of the images a model learns from or is measured on."""

    split: SpatialSplit
    """Which of its windows are for training, and which for measuring."""
    open: Callable[[], Opened]
    """Opens it; called again when it was closed in between."""

    @property
    def trainable_area(self) -> int:
        """Pixels that are not held out."""
        return self.split.image.area - sum(block.area for block in self.split.held_out)


def labelled_image(image: PyramidImage, labels: LabelSource, split: SpatialSplit) -> LabelledImage:
    """An image that is open already, with its labels."""
    return LabelledImage(split, lambda: Opened(image, labels))


def for_training(open_: Callable[[], Opened], crop_size: int) -> LabelledImage:
    """An image that is trained on as a whole."""
    whole = open_().image.window
    return LabelledImage(SpatialSplit(whole, (), crop_size), open_)


def for_measuring(open_: Callable[[], Opened], crop_size: int) -> LabelledImage:
    """An image that is held out as a whole."""
    whole = open_().image.window
    return LabelledImage(SpatialSplit(whole, (whole,), crop_size), open_)


class ExampleReaders:
    """Readers of several images for one model, a few of which are open at a time.

    Parameters
    ----------
    images
        What is read.
    config, metadata
        The model's.
    """

    def __init__(
        self, images: Sequence[LabelledImage], config: RelayConfig, metadata: ModelMetadata
    ) -> None:
        self.images = tuple(images)
        self.config, self.metadata = config, metadata
        self._open: OrderedDict[int, ExampleReader] = OrderedDict()

    def __getitem__(self, number: int) -> ExampleReader:
        """The reader of one image, by its place; for one thread at a time."""
        if number not in self._open:
            opened = self.images[number].open()
            self._open[number] = ExampleReader(*opened, self.config, self.metadata)
        self._open.move_to_end(number)
        if len(self._open) > KEPT_OPEN:
            self._open.popitem(last=False)
        return self._open[number]

    def __len__(self) -> int:
        return len(self.images)


class Place(NamedTuple):
    """A window of one of several images."""

    image: int
    """Which of the images."""
    window: Window
    """Level-0 pixels of it."""


def held_out_places(images: Sequence[LabelledImage]) -> list[Place]:
    """All windows that are measured on, image by image."""
    return [
        Place(number, window)
        for number, image in enumerate(images)
        for window in image.split.validation_windows()
    ]
