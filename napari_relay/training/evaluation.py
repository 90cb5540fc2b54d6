"""Scores of a model on labelled examples."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from napari_relay.training.metrics import Scores, confusion_matrix
from napari_relay.training.sampling import Batch, Example, ExampleReader, collate
from napari_relay.training.splits import SpatialSplit
from relay_tokens import IGNORE_INDEX, RelaySegmenter


def held_out_examples(
    reader: ExampleReader, split: SpatialSplit, at_most: int, seed: int
) -> list[Example]:
    """Read held-out windows, at random when there are more than ``at_most``.

    Labels of pixels outside the held-out blocks are ignored.
    """
    windows = split.validation_windows()
    rng = np.random.default_rng([seed, 2])
    chosen = sorted(rng.permutation(len(windows))[:at_most])
    examples = []
    for window in (windows[i] for i in chosen):
        crops, labels = reader.read(window)
        examples.append(Example(crops, np.where(split.owned(window), labels, IGNORE_INDEX)))
    return [e for e in examples if (e.labels != IGNORE_INDEX).any()]


@torch.no_grad()
def evaluate(model: RelaySegmenter, examples: Sequence[Example], batch_size: int = 8) -> Scores:
    """Compare a model's local predictions with the labels of examples.

    The model is left in the mode (training or not) it was in.
    """
    classes = model.config.num_classes
    confusion = np.zeros((classes, classes), dtype=np.int64)
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    for first in range(0, len(examples), batch_size):
        batch = collate(examples[first : first + batch_size])
        confusion += confusion_matrix(batch.labels.numpy(), _predict(model, batch, device), classes)
    model.train(was_training)
    return Scores(confusion)


def _predict(
    model: RelaySegmenter, batch: Batch, device: torch.device
) -> np.typing.NDArray[np.int64]:
    moved = batch.to(device)
    logits = model(moved.local, moved.global_).local_logits
    predicted: np.typing.NDArray[np.int64] = logits.argmax(dim=1).cpu().numpy()
    return predicted
