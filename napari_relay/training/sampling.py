"""Where training crops lie, and how they are changed."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.training.augmentation import Augmentation, random_augmentation
from napari_relay.training.examples import Batch, Example, augment, collate, has_colors
from napari_relay.training.labelled_image import ExampleReaders, Place
from napari_relay.training.options import TrainOptions
from relay_tokens import IGNORE_INDEX

LOOKED_AT = 128
"""Windows in which pixels of each class are looked for."""
KEPT = 64
"""Pixels of each class that are kept of each window."""
ALL = slice(None)
"""Every example of a batch."""


class CropSampler:
    """Draws random training crops outside the held-out blocks.

    An image is drawn by its area. :attr:`TrainOptions.class_balance` of the crops
    are centred on a pixel of a class drawn evenly from those present, moved by up
    to a quarter of a crop; the others lie anywhere. What a batch holds depends on
    the seed and its number alone, so training can be resumed at any step.

    Parameters
    ----------
    readers
        Read the examples.
    options
        Seed and augmentations.
    """

    def __init__(self, readers: ExampleReaders, options: TrainOptions) -> None:
        self.readers, self.options = readers, options
        areas = np.array([image.trainable_area for image in readers.images], dtype=np.float64)
        self._shares = areas / areas.sum()
        rng = np.random.default_rng([options.seed, 0])
        self._pixels = self._find_classes(rng)

    def batch(self, number: int, size: int, share: slice = ALL) -> Batch:
        """Read augmented examples of a batch.

        Parameters
        ----------
        number
            Of the batch: 0, 1, ...
        size
            Examples in it.
        share
            Which of them are read; what they are does not depend on it.
        """
        rng = np.random.default_rng([self.options.seed, 1, number])
        drawn = [self._draw(rng) for _ in range(size)]
        return collate([self._read(*one) for one in drawn[share]])

    def place(self, rng: np.random.Generator) -> Place:
        """Draw where a crop lies."""
        side = self._side(rng)
        if not self._pixels or rng.random() < 1 - self.options.class_balance:
            return self._anywhere(rng, side)
        for _ in range(20):
            place = self._around_class(rng, side)
            if self._allows(place):
                return place
        return self._anywhere(rng, side)

    def _draw(self, rng: np.random.Generator) -> tuple[Place, Augmentation]:
        colors = self.options.color_jitter if has_colors(self.readers.metadata.bands) else 0.0
        return self.place(rng), random_augmentation(rng, colors)

    def _read(self, place: Place, augmentation: Augmentation) -> Example:
        return augment(self.readers[place.image].read(place.window), augmentation)

    def _find_classes(self, rng: np.random.Generator) -> Mapping[int, NDArray[np.intp]]:
        """Some pixels ``(image, row, col)`` of each class, in windows spread over the land."""
        found: dict[int, list[NDArray[np.intp]]] = {}
        side = self.readers.config.crop_size
        places = [self._anywhere(rng, side) for _ in range(LOOKED_AT)]
        for number, window in sorted(places, key=lambda place: place.image):
            values = self.readers[number].labels.read(window)
            for value in np.unique(values[values != IGNORE_INDEX]):
                inside: NDArray[np.intp] = np.argwhere(values == value)
                chosen = rng.choice(inside, min(KEPT, len(inside)), replace=False)
                moved = chosen + np.array([window.y0, window.x0])
                found.setdefault(int(value), []).append(
                    np.insert(moved, 0, number, axis=1).astype(np.intp)
                )
        return {value: np.concatenate(found[value]) for value in sorted(found)}

    def _around_class(self, rng: np.random.Generator, side: int) -> Place:
        """Draw a class, each alike, then one of its pixels, then a window that shows it."""
        value = rng.choice(list(self._pixels))
        number, y, x = rng.choice(self._pixels[int(value)])
        dy, dx = rng.integers(-(side // 4), side // 4 + 1, size=2)
        return Place(int(number), _centred(int(y + dy), int(x + dx), side))

    def _anywhere(self, rng: np.random.Generator, side: int) -> Place:
        """Draw a window whose middle lies in an image; the splits leave room for one."""
        for _ in range(1000):
            number = self._image(rng)
            whole = self.readers.images[number].split.image
            y, x = rng.integers((whole.height, whole.width))
            place = Place(number, _centred(int(y), int(x), side))
            if self._allows(place):
                return place
        raise RuntimeError(f"no training crop of {side} px found in {len(self._shares)} images")

    def _image(self, rng: np.random.Generator) -> int:
        several = len(self._shares) > 1
        return int(rng.choice(len(self._shares), p=self._shares)) if several else 0

    def _side(self, rng: np.random.Generator) -> int:
        """Draw the side of a local window: a crop's, times or divided by up to the jitter."""
        side, widest = self.readers.config.crop_size, math.log(self.options.scale_jitter)
        return round(side * math.exp(rng.uniform(-widest, widest))) if widest else side

    def _allows(self, place: Place) -> bool:
        return self.readers.images[place.image].split.allows(place.window)


def _centred(y: int, x: int, side: int) -> Window:
    return Window(y - side // 2, x - side // 2, side, side)
