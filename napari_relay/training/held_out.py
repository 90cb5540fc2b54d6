"""The examples a model is measured on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from napari_relay.training.examples import Example
from napari_relay.training.labelled_image import ExampleReaders, Place, held_out_places
from relay_tokens import IGNORE_INDEX


def held_out_examples(readers: ExampleReaders, at_most: int, seed: int) -> list[Example]:
    """Read held-out windows, at random when there are more than ``at_most``.

    Labels of pixels outside the held-out blocks are ignored, and windows without
    any label left out.
    """
    places = held_out_places(readers.images)
    rng = np.random.default_rng([seed, 2])
    chosen = sorted(rng.permutation(len(places))[:at_most])
    return list(read_examples(readers, [places[i] for i in chosen]))


def read_examples(readers: ExampleReaders, places: list[Place]) -> Iterator[Example]:
    """Read examples one after the other; those without any held-out label are left out."""
    for number, window in places:
        crops, labels = readers[number].read(window)
        owned = readers.images[number].split.owned(window)
        example = Example(crops, np.where(owned, labels, IGNORE_INDEX).astype(np.uint8))
        if (example.labels != IGNORE_INDEX).any():
            yield example
