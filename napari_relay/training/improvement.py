"""Whether a training run still gets better."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


class Improvement:
    """The best held-out mIoU of a run, and how long ago it was.

    Parameters
    ----------
    patience
        Evaluations without a rise after which training ends; 0: never.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.miou = -math.inf
        """Best so far; minus infinity before there is one."""
        self.step = 0
        """Where it was measured; 0 before the first evaluation."""
        self.misses = 0
        """Evaluations since then."""

    @property
    def is_over(self) -> bool:
        """Whether training is to end."""
        return 0 < self.patience <= self.misses

    def note(self, step: int, miou: float) -> bool:
        """Take note of a score; returns whether it is the best. NaN is none but at first."""
        is_best = miou > self.miou or self.step == 0
        if is_best:
            self.miou, self.step = (-math.inf if math.isnan(miou) else miou), step
        self.misses = 0 if is_best else self.misses + 1
        return is_best

    def sentence(self) -> str:
        """Say why training ended."""
        return (
            f"the held-out mIoU had not risen for {self.misses} evaluations, since step {self.step}"
        )

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` needs."""
        return {"best_miou": self.miou, "best_step": self.step, "misses": self.misses}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state_dict` was taken."""
        self.miou, self.misses = float(state["best_miou"]), int(state.get("misses", 0))
        self.step = int(state.get("best_step", state["step"]))
