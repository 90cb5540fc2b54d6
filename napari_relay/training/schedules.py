"""The learning rate over a training run."""

from __future__ import annotations

import math
from typing import Any

from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from napari_relay.training.options import TrainOptions


class Schedule:
    """Sets an optimiser's learning rate before each step.

    Parameters
    ----------
    optimizer
        Whose learning rate is set, in all its groups.
    options
        Length, warm-up and kind.
    """

    def __init__(self, optimizer: Optimizer, options: TrainOptions) -> None:
        self.optimizer = optimizer
        self.options = options
        self.plateau = ReduceLROnPlateau(
            optimizer, mode="max", factor=0.2, patience=options.patience
        )

    @property
    def learning_rate(self) -> float:
        """The present learning rate."""
        return float(self.optimizer.param_groups[0]["lr"])

    def before_step(self, step: int) -> None:
        """Set the learning rate of step ``step`` (0, 1, ...)."""
        warmup, steps = self.options.warmup_steps, self.options.steps
        if step < warmup:
            self._set(self.options.learning_rate * (step + 1) / warmup)
        elif self.options.schedule == "cosine":
            done = (step - warmup) / max(steps - warmup, 1)
            self._set(self.options.learning_rate * (1 + math.cos(math.pi * done)) / 2)

    def after_evaluation(self, step: int, miou: float) -> None:
        """Take note of a held-out score."""
        if self.options.schedule == "plateau" and step >= self.options.warmup_steps:
            self.plateau.step(0.0 if math.isnan(miou) else miou)

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` needs."""
        state: dict[str, Any] = self.plateau.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where :meth:`state_dict` was taken."""
        self.plateau.load_state_dict(state)

    def _set(self, learning_rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
