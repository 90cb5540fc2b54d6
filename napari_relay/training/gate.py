"""Whether new weights are to be recommended, and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from napari_relay.training.finetune_options import FinetuneOptions
from napari_relay.training.metrics import Scores
from relay_tokens import ClassSchema

LOST = 0.1
"""Loss of IoU from which on a class counts as lost."""
COUNTED = 0.005
"""Smallest share of the measured pixels that a class must have for that."""


@dataclass(frozen=True)
class Measurement:
    """How good some weights are."""

    corrections: Scores
    """On the measured corrections."""
    base: Scores | None
    """On tiles of the training data that were never rehearsed; None without any."""
    agreement: float
    """Mean IoU with the old predictions on windows away from corrections, 0 to 1;
    NaN without any."""

    @property
    def value(self) -> float:
        """The sum of what was to be learnt and what was to be kept."""
        kept = self.agreement if self.base is None else self.base.miou
        return sum(0.0 if math.isnan(part) else part for part in (self.corrections.miou, kept))


class Verdict(NamedTuple):
    """What the measurements speak for."""

    recommended: bool
    """Whether to take the new weights."""
    reason: str
    """Why, in a sentence or two."""


@dataclass(frozen=True)
class Gate:
    """The measurements that new weights must pass."""

    before: Measurement
    """Of the old weights."""
    is_held_out: bool
    """Whether the measured corrections are kept out of the training."""
    classes: ClassSchema
    """Names for the sentences."""
    base_at_first: float
    """mIoU on tiles of the training data before any fine-tuning, of which many rounds
    together may lose no more than one; NaN without any tiles."""
    options: FinetuneOptions
    """What may be lost."""

    def judge(self, after: Measurement) -> Verdict:
        """Say whether new weights are to be recommended."""
        learnt = self._learnt(after)
        if _worse(after.corrections.miou, self.before.corrections.miou):
            return Verdict(False, learnt)
        forgotten = self._forgotten(after)
        if forgotten:
            return Verdict(False, f"{forgotten} {learnt}")
        return Verdict(True, f"{learnt} {self._kept(after)}".strip())

    def passes(self, after: Measurement) -> bool:
        """Whether new weights are to be recommended."""
        return self.judge(after).recommended

    def _learnt(self, after: Measurement) -> str:
        before, now = self.before.corrections.miou, after.corrections.miou
        numbers = f"(mIoU {before:.2f} → {now:.2f})"
        change = _change(before, now)
        if math.isnan(now):
            return "No correction names a class, so that what was learnt cannot be measured."
        if self.is_held_out:
            return f"{change} on corrections kept out of the training {numbers}."
        return (
            f"{change} on the corrections it has learnt {numbers}; in fewer than four places, or "
            "with a class in one place alone, none is kept out to measure on."
        )

    def _forgotten(self, after: Measurement) -> str:
        """What speaks against the new weights; empty if nothing does."""
        if self.before.base is not None and after.base is not None:
            return self._forgotten_base(self.before.base, after.base)
        if after.agreement < self.options.minimum_agreement:
            return (
                f"Away from the corrections only {after.agreement:.0%} is like before: look at "
                "what changes before you take it."
            )
        return ""

    def _forgotten_base(self, before: Scores, after: Scores) -> str:
        lost = [
            f"{name} (IoU {old:.2f} → {new:.2f})"
            for name, old, new, share in zip(
                self.classes.names, before.iou, after.iou, before.share, strict=True
            )
            if share >= COUNTED and old - new > LOST
        ]
        if lost:
            return f"On the data the model was trained on it is losing {', '.join(lost)}."
        if self.base_at_first - after.miou > self.options.largest_loss:
            return (
                "It is forgetting what the model was trained on "
                f"(mIoU {self.base_at_first:.3f} at first, now {after.miou:.3f})."
            )
        return ""

    def _kept(self, after: Measurement) -> str:
        if self.before.base is not None and after.base is not None:
            return (
                "What the model was trained on is kept "
                f"(mIoU {self.before.base.miou:.2f} → {after.base.miou:.2f})."
            )
        if math.isnan(after.agreement):
            return ""
        return f"Away from the corrections {after.agreement:.0%} is like before."


def _worse(after: float, before: float) -> bool:
    # NaN: nothing to compare, and nothing against it.
    return after < before


def _change(before: float, after: float) -> str:
    if after - before >= 0.005:
        return "Better"
    return "Worse" if before - after >= 0.005 else "As good as before"
