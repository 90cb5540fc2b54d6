"""What is known of a training run after a step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from napari_relay.training.metrics import Scores


@dataclass(frozen=True)
class TrainLoss:
    """Losses of one batch."""

    local: float
    """Cross-entropy of the local branch."""
    global_: float
    """Cross-entropy of the global branch."""
    consistency: float
    """Disagreement of the branches."""
    total: float
    """Their weighted sum, which is minimised."""


@dataclass(frozen=True)
class TrainProgress:
    """Where a training run is after a step."""

    step: int
    """Steps done."""
    steps: int
    """Steps in all."""
    loss: TrainLoss
    """Of this step's batch."""
    learning_rate: float
    """Used in this step."""
    seconds: float
    """Time spent on the run, interruptions left out."""
    scores: Scores | None = None
    """Held-out scores, in steps that measure them."""
    best_miou: float = math.nan
    """Best held-out mIoU so far."""
    notes: tuple[str, ...] = ()
    """Sentences for a person, each said once: other versions after a resume, a
    package that is missing, an early end."""
