"""Predictions and scores of a model on labelled examples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from napari_relay.training.examples import Example, collate
from napari_relay.training.metrics import Scores
from relay_tokens import RelaySegmenter

Item = TypeVar("Item")


class PredictedExample(NamedTuple):
    """An example with what a model says of its local crop."""

    example: Example
    """Crops and labels."""
    predicted: NDArray[np.int64]
    """``(crop, crop)`` most likely class."""
    confidence: NDArray[np.float32]
    """``(crop, crop)`` its probability, 0 to 1."""

    def scores(self, num_classes: int) -> Scores:
        """Compare the prediction with the labels."""
        return Scores.of(self.example.labels, self.predicted, self.confidence, num_classes)


def evaluate(model: RelaySegmenter, examples: Iterable[Example], batch_size: int = 8) -> Scores:
    """Compare a model's local predictions with the labels of examples.

    One batch is in memory at a time. The model is left in the mode (training or
    not) it was in.

    Parameters
    ----------
    model
        On any device.
    examples
        Read one after the other, once.
    batch_size
        Examples in a forward pass.
    """
    scores = no_scores(model.config.num_classes)
    for batch in batched(examples, batch_size):
        for predicted in predict_examples(model, batch):
            scores += predicted.scores(model.config.num_classes)
    return scores


def no_scores(num_classes: int) -> Scores:
    """Scores of no pixel at all, to add others to."""
    none = np.empty(0, dtype=np.int64)
    return Scores.of(none, none, none.astype(np.float32), num_classes)


@torch.no_grad()
def predict_examples(model: RelaySegmenter, examples: Sequence[Example]) -> list[PredictedExample]:
    """Predict examples in one forward pass; the model is left in the mode it was in."""
    was_training = model.training
    model.eval()
    moved = collate(examples).to(next(model.parameters()).device)
    logits = model(moved.local, moved.global_).local_logits
    model.train(was_training)
    sure, classes = logits.float().softmax(dim=1).max(dim=1)
    return [
        PredictedExample(*parts)
        for parts in zip(examples, classes.cpu().numpy(), sure.cpu().numpy(), strict=True)
    ]


def batched(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Lists of ``size`` items; the last may be shorter."""
    left = iter(items)
    while batch := list(islice(left, size)):
        yield batch
