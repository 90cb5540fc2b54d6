"""The same held-out pixels for models of different crop sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.band_statistics import BandStatistics
from napari_relay.training.labelled_image import LabelledImage, held_out_places
from napari_relay.training.splits import SpatialSplit
from napari_relay.training.training_data import TrainingData

Measured = tuple[tuple[Window, ...], ...]
"""Windows that are measured on, image by image; none shares a pixel with another."""


@dataclass(frozen=True)
class MeasuredSplit(SpatialSplit):
    """A split that is measured on the same pixels whatever its crop size.

    All held-out blocks stay untouched by training crops; of them, only
    :attr:`measured` counts.
    """

    measured: tuple[Window, ...] = ()
    """Parts of the held-out blocks, none of which shares a pixel with another."""

    def validation_windows(self) -> tuple[Window, ...]:
        """Windows of ``crop_size`` a side that cover what is measured, part by part."""
        return self._measuring(*self.measured).validation_windows()

    def owned(self, window: Window) -> NDArray[np.bool_]:
        """Pixels of a window that count; ``(height, width)``.

        Only those of the part the window begins in: what it shows of a part beside
        it is measured by that part's own windows, and no pixel counts twice.
        """
        origin = Window(window.y0, window.x0, 1, 1)
        parts = (part for part in self.measured if part.intersects(origin))
        return self._measuring(*parts).owned(window)

    def _measuring(self, *parts: Window) -> SpatialSplit:
        return SpatialSplit(self.image, parts, self.crop_size)


class MeasuredData(TrainingData):
    """Data for many runs: the statistics are computed once."""

    def statistics(self) -> BandStatistics:
        """Mean and spread of each band, as :meth:`TrainingData.statistics` has them."""
        return self._statistics

    @cached_property
    def _statistics(self) -> BandStatistics:
        return super().statistics()


def draw_measured(images: Sequence[LabelledImage], at_most: int, seed: int) -> Measured:
    """Draw what is measured on, for all crop sizes alike.

    Parameters
    ----------
    images
        Split for the largest crop size.
    at_most
        Held-out windows of that size that are drawn, over all images.
    seed
        Of the choice.
    """
    places = held_out_places(images)
    order = np.random.default_rng([seed, 6]).permutation(len(places))
    chosen = [places[number] for number in sorted(order[:at_most])]
    return tuple(
        tuple(_inside(image.split, place.window) for place in chosen if place.image == number)
        for number, image in enumerate(images)
    )


def with_crop_size(data: TrainingData, measured: Measured, crop_size: int) -> MeasuredData:
    """The same images, held-out blocks and measured pixels, for another crop size."""
    images = tuple(
        replace(image, split=_resized(image.split, windows, crop_size))
        for image, windows in zip(data.images, measured, strict=True)
    )
    return MeasuredData(**{**vars(data), "images": images})


def _resized(split: SpatialSplit, measured: tuple[Window, ...], crop_size: int) -> MeasuredSplit:
    return MeasuredSplit(split.image, split.held_out, crop_size, measured)


def _inside(split: SpatialSplit, window: Window) -> Window:
    """The part of a window that lies in the held-out block it begins in."""
    origin = Window(window.y0, window.x0, 1, 1)
    block = next(block for block in split.held_out if block.intersects(origin))
    return window.intersection(block)
