"""What a model's wide view is worth to its scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from napari_relay.training.examples import Example, collate
from napari_relay.training.metrics import Scores, confusion_matrix
from relay_tokens import IGNORE_INDEX, RelayConfig, RelaySegmenter, context_dependence


@dataclass(frozen=True, eq=False)
class ContextEffect:
    """Scores of the same examples with their global crops, and with blank ones."""

    examples: int
    """How many were compared."""
    changed: float
    """Share of the labelled pixels whose class is another one, 0 to 1."""
    with_context: Scores
    """With their global crops."""
    without: Scores
    """With global crops that are zero, the mean, in every band."""

    def __add__(self, other: ContextEffect) -> ContextEffect:
        """Both sets of examples together."""
        pixels = np.array([self.with_context.pixels, other.with_context.pixels])
        parts = np.array([self.changed, other.changed]) * pixels
        return ContextEffect(
            self.examples + other.examples,
            float(parts.sum() / max(pixels.sum(), 1)),
            self.with_context + other.with_context,
            self.without + other.without,
        )


def has_relay_tokens(config: RelayConfig) -> bool:
    """Whether relay tokens carry a global crop's information to the local branch."""
    wide = config.context_factor is not None and config.mode == "relay"
    return wide and config.num_relay_tokens > 0


def context_effect(model: RelaySegmenter, examples: Sequence[Example]) -> ContextEffect:
    """Predict examples in one batch with and without their context, and compare both.

    Parameters
    ----------
    model
        In eval mode, with relay tokens (:func:`has_relay_tokens`).
    examples
        At least one.
    """
    batch = collate(examples)
    moved = batch.to(next(model.parameters()).device)
    runs = context_dependence(model, moved.local, moved.global_)
    labels, classes = batch.labels.numpy(), model.config.num_classes
    changed = runs.changed.cpu().numpy()[labels != IGNORE_INDEX]
    before, after = runs.before.cpu().numpy(), runs.after.cpu().numpy()
    return ContextEffect(
        len(examples),
        float(changed.mean()) if changed.size else 0.0,
        Scores(confusion_matrix(labels, before, classes)),
        Scores(confusion_matrix(labels, after, classes)),
    )
