"""Which tiles of its training data a model ships with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from napari_relay.training.base_tiles import BaseTiles
from napari_relay.training.examples import Example
from napari_relay.training.labelled_image import (
    ExampleReaders,
    LabelledImage,
    Place,
    held_out_places,
)
from napari_relay.training.options import TrainOptions
from napari_relay.training.sampling import CropSampler
from relay_tokens import IGNORE_INDEX, ModelMetadata, RelayConfig

MOST_BYTES = 16_000_000
"""Of all tiles before they are compressed, a byte a value: 3 to 4 MB in the file."""
FEWEST = 12
"""Tiles, however large they are."""
OVERLAP = 2
"""Tiles over each place of the data on average, at most: more say nothing new."""
MEASURED = 0.3
"""Share of the tiles that are measured on."""
TRIES = 40
"""Places that are drawn for each tile that is wanted."""
LOOKED_AT = 4000
"""Held-out windows of which those that are measured on are drawn."""


def draw_base_tiles(
    images: Sequence[LabelledImage], config: RelayConfig, metadata: ModelMetadata, seed: int = 0
) -> BaseTiles:
    """Draw tiles of what a model was trained on, and of what was held out from it.

    Those to be learnt are drawn as training crops are. Those to be measured on are
    held-out windows: what was trained on is known by heart, and would say nothing of
    what is forgotten elsewhere.

    Parameters
    ----------
    images
        What it was trained on, and measured on.
    config, metadata
        The model's.
    seed
        Of the choice.
    """
    readers = ExampleReaders(images, config, metadata)
    total = _count(images, config)
    measured = round(MEASURED * total)
    chosen, weights = _held_out(readers, measured, np.random.default_rng([seed, 9]))
    return BaseTiles(
        _trained(images, config, metadata, total - measured, seed), chosen, tuple(weights.tolist())
    )


def _count(images: Sequence[LabelledImage], config: RelayConfig) -> int:
    crops = 1 if config.context_factor is None else 2
    room = MOST_BYTES // (config.crop_size**2 * (crops * config.in_channels + 1))
    side_by_side = sum(image.split.image.area / image.split.crop_size**2 for image in images)
    return max(min(room, round(OVERLAP * side_by_side)), FEWEST)


def _trained(
    images: Sequence[LabelledImage],
    config: RelayConfig,
    metadata: ModelMetadata,
    count: int,
    seed: int,
) -> tuple[Example, ...]:
    """Crops with labels, half of them around classes drawn evenly."""
    trained = [image for image in images if image.trainable_area]
    readers = ExampleReaders(trained, config, metadata)
    sampler = CropSampler(readers, TrainOptions(seed=seed, scale_jitter=1))
    rng, found = np.random.default_rng([seed, 8]), dict[Place, Example]()
    for _ in range(TRIES * count):
        place = sampler.place(rng)
        if len(found) < count and place not in found:
            example = readers[place.image].read(place.window)
            if (example.labels != IGNORE_INDEX).any():
                found[place] = example
    return tuple(found.values())


def _held_out(
    readers: ExampleReaders, count: int, rng: np.random.Generator
) -> tuple[tuple[Example, ...], NDArray[np.float64]]:
    """Held-out windows, and how many each stands for; those with rare classes are likelier.

    With these weights their confusion matrix is that of all held-out windows but for
    chance (Horvitz and Thompson, 1952).
    """
    places = held_out_places(readers.images)
    looked_at = rng.permutation(len(places))[:LOOKED_AT]
    shares = np.array([_shares(readers, places[i]) for i in sorted(looked_at)])
    if not shares.any():
        return (), np.empty(0)
    likely = _likely(_interest(shares), count)
    drawn = _systematic(likely, float(rng.random()))
    examples = tuple(_read(readers, places[sorted(looked_at)[i]]) for i in drawn)
    return examples, 1 / likely[drawn]


def _read(readers: ExampleReaders, place: Place) -> Example:
    crops, labels = readers[place.image].read(place.window)
    owned = readers.images[place.image].split.owned(place.window)
    return Example(crops, np.where(owned, labels, IGNORE_INDEX).astype(np.uint8))


def _shares(readers: ExampleReaders, place: Place) -> NDArray[np.float64]:
    """Share of each class in a window, ``(class,)``."""
    values = readers[place.image].labels.read(place.window)
    owned = readers.images[place.image].split.owned(place.window)
    counts = np.bincount(values[owned & (values != IGNORE_INDEX)], minlength=IGNORE_INDEX)
    return counts[:IGNORE_INDEX] / values.size


def _interest(shares: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half the same for each window with labels, half by what it shows of each class."""
    means = shares.mean(axis=0)
    present = means > 0
    by_class = (shares[:, present] / means[present]).mean(axis=1)
    return np.where(shares.any(axis=1), 0.5 + 0.5 * by_class, 0.0)


def _likely(interest: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Probability with which each is drawn: in proportion, at most 1, ``count`` in all."""
    certain = np.zeros(len(interest), dtype=bool)
    while True:
        rest = max(count - int(certain.sum()), 0) * interest / max(interest[~certain].sum(), 1e-12)
        likely = np.where(certain, 1.0, np.minimum(rest, 1.0))
        more = (rest >= 1) & ~certain
        if not more.any():
            return likely
        certain |= more


def _systematic(likely: NDArray[np.float64], start: float) -> NDArray[np.intp]:
    """Draw each with its probability, spread along their order."""
    # What sums up to a whole number must not miss it by a rounding.
    sums = np.floor(np.cumsum(likely) + start + 1e-9)
    return np.flatnonzero(np.diff(sums, prepend=np.floor(start)))
