"""Mean and spread of an image's bands."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window

if TYPE_CHECKING:
    from napari_relay.images.pyramid import PyramidImage

LEAST_PIXELS = 2**16
"""The statistics come from the coarsest level of at least so many pixels."""
BLOCK_SIDE = 512
"""Side of what is read of it at once, in pixels of the level."""
LARGEST = 1e30
"""Values beyond this count as this much: their squares would overflow."""


class BandStatistics(NamedTuple):
    """What normalises each band: ``(value - mean) / std``."""

    mean: tuple[float, ...]
    """In the image's own values."""
    std: tuple[float, ...]
    """Positive; 1 for a band without any spread."""


def band_statistics(image: PyramidImage) -> BandStatistics:
    """Mean and standard deviation of each band over all valid pixels of a coarse level.

    The same wherever and whenever they are computed; 0 and 1 for an image
    without a valid pixel. Memory does not grow with the image.

    Notes
    -----
    The blocks' moments are joined as in Chan, Golub, LeVeque, "Algorithms for
    computing the sample variance", 1983, which loses no precision far from 0.
    """
    count = 0
    mean = np.zeros(len(image.bands))
    squares = np.zeros(len(image.bands))
    for pixels in _blocks(image):
        total, own_mean = count + len(pixels), pixels.mean(axis=0)
        shift = own_mean - mean
        squares += ((pixels - own_mean) ** 2).sum(axis=0)
        squares += shift**2 * (count * len(pixels) / total)
        mean += shift * (len(pixels) / total)
        count = total
    return BandStatistics(tuple(mean.tolist()), positive_std(squares / max(count, 1)))


def positive_std(variance: NDArray[np.float64]) -> tuple[float, ...]:
    """Roots of variances ``(band,)``; a band without spread carries nothing: any divisor does."""
    return tuple(np.sqrt(np.where(variance > 1e-12, variance, 1.0)).tolist())


def _blocks(image: PyramidImage) -> Iterator[NDArray[np.float64]]:
    """Valid pixels ``(pixel, band)`` of a coarse level, block by block."""
    sizes = [level.shape[0] * level.shape[1] for level in image.levels]
    number = max((k for k, size in enumerate(sizes) if size >= LEAST_PIXELS), default=0)
    side = round(BLOCK_SIDE * image.factors[number])
    for y in range(0, image.shape[0], side):
        for x in range(0, image.shape[1], side):
            patch = image.read(Window(y, x, side, side).intersection(image.window), number)
            if patch.valid.any():
                valid = patch.pixels[patch.valid].astype(np.float64)
                yield np.clip(valid, -LARGEST, LARGEST)
