"""Which tiles of its training data a model ships with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_relay.training.base_tiles import BaseTiles
from napari_relay.training.examples import Example
from napari_relay.training.labelled_image import ExampleReaders, LabelledImage, Place
from napari_relay.training.options import TrainOptions
from napari_relay.training.sampling import CropSampler
from relay_tokens import IGNORE_INDEX, ModelMetadata, RelayConfig

MOST_BYTES = 2_300_000
"""Of all tiles before they are compressed, a byte a value: about 1.5 MB in the file."""
FEWEST = 8
"""Tiles, however large they are."""
STRIPES = 8
"""Across one image, at most; every other one is measured on."""
TRIES = 40
"""Places that are drawn for each tile that is wanted."""


def draw_base_tiles(
    images: Sequence[LabelledImage], config: RelayConfig, metadata: ModelMetadata, seed: int = 0
) -> BaseTiles:
    """Draw tiles of what a model was trained on; as many are learnt as measured.

    They are drawn as training crops are, outside the held-out blocks and half of them
    around classes drawn evenly. Of several images, every other one is measured on, of
    one image, every other stripe.

    Parameters
    ----------
    images
        What it was trained on; those that are only measured on are left alone.
    config, metadata
        The model's.
    seed
        Of the choice.
    """
    trained = [image for image in images if image.trainable_area]
    sampler = CropSampler(
        ExampleReaders(trained, config, metadata), TrainOptions(seed=seed, scale_jitter=1)
    )
    rng = np.random.default_rng([seed, 8])
    wanted = max(_count(config) // 2, FEWEST // 2)
    found: dict[bool, dict[Place, Example]] = {False: {}, True: {}}
    for _ in range(TRIES * wanted):
        place = sampler.place(rng)
        part = _is_measured(trained, place)
        if part is not None and len(found[part]) < wanted:
            example = sampler.readers[place.image].read(place.window)
            if (example.labels != IGNORE_INDEX).any():
                found[part][place] = example
    return BaseTiles(tuple(found[False].values()), tuple(found[True].values()))


def _count(config: RelayConfig) -> int:
    crops = 1 if config.context_factor is None else 2
    return MOST_BYTES // (config.crop_size**2 * (crops * config.in_channels + 1))


def _is_measured(images: Sequence[LabelledImage], place: Place) -> bool | None:
    """Whether a place is to be measured on; None where it lies across the border."""
    if len(images) > 1:
        return bool(place.image % 2)
    whole, window = images[0].split.image, place.window
    lengthwise = whole.height >= whole.width
    begin, end = (window.y0, window.y1 - 1) if lengthwise else (window.x0, window.x1 - 1)
    length, crop = max(whole.height, whole.width), images[0].split.crop_size
    side = length / max(min(STRIPES, length // (2 * crop)), 2)
    first, last = begin // side, end // side
    return bool(first % 2) if first == last else None
