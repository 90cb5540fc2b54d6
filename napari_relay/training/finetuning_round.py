"""One round of fine-tuning: its student, optimiser and best weights so far."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch

from napari_relay.training.corrected_examples import CorrectedExamples
from napari_relay.training.correction_loss import CorrectionLoss
from napari_relay.training.finetune_options import FinetuneOptions
from napari_relay.training.finetuning_time import TOKEN_BATCH, RoundWork, frozen_steps
from napari_relay.training.gate import Gate, Measurement
from napari_relay.training.lesson import stack_lessons
from napari_relay.training.lesson_draw import Drawn, LessonDraw
from napari_relay.training.old_model import OldModel, Seen
from napari_relay.training.student import Snapshot, Student
from relay_tokens import ClassSchema

TOKENS_RATE = 0.5
"""Of the learning rate, when they do."""
FROZEN_TURNS = 2
"""Ways in which a crop is turned while the head learns alone: each one's features are
computed once and kept."""
HALVINGS = 4
"""Steps of the search for a share of the change that does not forget too much."""


class Best(NamedTuple):
    """The best weights so far."""

    weights: Snapshot
    """What learnt."""
    measured: Measurement
    """How good they are."""
    passes: bool
    """Whether they would be recommended."""

    @property
    def rank(self) -> tuple[bool, float]:
        """Larger is better."""
        # Without tiles of the training data, likeness to the old predictions alone speaks
        # against weights: a person looks at that, nothing is held back for it.
        return self.passes or self.measured.base is None, self.measured.value


class FinetuningRound:
    """Teaches a student step by step, and remembers when it was best.

    Parameters
    ----------
    old
        The model that is corrected.
    examples
        What is learnt and measured on.
    classes
        The model's.
    options
        How.
    base_at_first
        mIoU on tiles of the training data before any fine-tuning; None: this is the
        first round.
    """

    def __init__(
        self,
        old: OldModel,
        examples: CorrectedExamples,
        classes: ClassSchema,
        options: FinetuneOptions,
        base_at_first: float | None = None,
    ) -> None:
        self.options, self._examples = options, examples
        self.student = Student(old, options.trains)
        self.frozen_steps = frozen_steps(options, self.student.has_relay_tokens)
        rehearsal = options.rehearsal_weight(bool(examples.base))
        self._loss = CorrectionLoss(old.model.config.context_factor, rehearsal, options.base)
        self._draw = LessonDraw(examples)
        self._begun = self.student.snapshot()
        self._optimizer = torch.optim.AdamW(
            self.student.learning, options.usual.learning_rate, weight_decay=0.0
        )
        self.now = self._measured()
        first = self.now.base.miou if self.now.base else math.nan
        first = first if base_at_first is None else base_at_first
        self.gate = Gate(self.now, examples.is_held_out, classes, first, options)
        self.best: Best | None = None
        self._is_measured = True

    @property
    def work(self) -> RoundWork:
        """What there is to do."""
        examples = self._examples
        lessons = len(examples.corrected) + len(examples.replayed) + len(examples.base)
        return RoundWork(self.options, lessons, examples.all_measured, self.frozen_steps)

    @property
    def regions(self) -> int:
        """Corrected regions."""
        return self._examples.regions

    def descend(self, step: int) -> float:
        """Do a step, 0, 1, ...; returns its loss."""
        if step >= self.frozen_steps:
            self.student.unfreeze()
        lessons, base = self._drawn(step)
        seen = [Seen(one.lesson.example, one.change) for one in lessons]
        moved = [one.lesson.moved(one.change) for one in lessons]
        output = self.student.answer(seen, [lesson.example for lesson in moved])
        loss = self._loss(output, stack_lessons(moved).to(output.local_logits.device), base)
        for group in self._optimizer.param_groups:
            group["lr"] = self._learning_rate(step)
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.student.learning, 1.0)
        self._optimizer.step()
        self._is_measured = False
        return float(loss.detach())

    def measure(self) -> None:
        """Measure the present weights, and keep them when they are the best so far.

        Weights that would be recommended are better than others; of two such, those
        with the larger sum of what was to be learnt and what was to be kept.
        """
        if self._is_measured:
            return
        self.now, self._is_measured = self._measured(), True
        found = Best(self.student.snapshot(), self.now, self.gate.passes(self.now))
        if self.best is None or found.rank > self.best.rank:
            self.best = found

    def finish(self) -> Best:
        """The best weights; if they forget too much, weights nearer to the old ones.

        Between the weights before and after fine-tuning there often are some that have
        learnt nearly as much and forgotten far less (Wortsman et al., "Robust fine-tuning
        of zero-shot models", CVPR 2022).
        """
        self.measure()
        best = self._best()
        before = self.gate.before
        learnt = best.measured.corrections.miou > before.corrections.miou and before.base
        if learnt and not best.passes:
            self._halve(best.weights)
        self.student.restore(self._best().weights)
        return self._best()

    def _halve(self, learnt: Snapshot) -> None:
        """Look for the largest share of the change that passes, by halving what is open."""
        lowest, highest = 0.0, 1.0
        for _ in range(HALVINGS):
            share = (lowest + highest) / 2
            self.student.restore(between(self._begun, learnt, share))
            self._is_measured = False
            self.measure()
            lowest, highest = (share, highest) if self.gate.passes(self.now) else (lowest, share)

    def _best(self) -> Best:
        assert self.best is not None
        return self.best

    def _drawn(self, step: int) -> tuple[list[Drawn], int]:
        rng = np.random.default_rng([self.options.seed, 3, step])
        size = self.options.usual.batch_size
        if self.student.is_frozen:
            return self._draw.draw(rng, size, FROZEN_TURNS)
        return self._draw.draw(rng, min(size, TOKEN_BATCH) if self.frozen_steps else size, 8)

    def _learning_rate(self, step: int) -> float:
        """A half cosine, after a warm-up; another one when the relay tokens join in."""
        highest, first = self.options.usual.learning_rate, self.frozen_steps
        steps = self.options.usual.steps
        if step < first:
            return highest * cosine(step, first)
        return highest * cosine(step - first, steps - first) * (TOKENS_RATE if first else 1.0)

    def _measured(self) -> Measurement:
        examples, scores = self._examples, self.student.scores
        return Measurement(
            scores(examples.measured),
            scores(examples.base_measured, examples.base_weights)
            if examples.base_measured
            else None,
            scores(examples.unseen).miou,
        )


def between(before: Snapshot, after: Snapshot, share: float) -> Snapshot:
    """Weights on the straight line from one to the other, ``share`` of the way."""
    return {name: torch.lerp(before[name], after[name], share) for name in before}


def cosine(step: int, steps: int) -> float:
    """Share of the learning rate, 0 to 1: up within five steps, then down along a half cosine."""
    warm = min(1.0, (step + 1) / 5)
    return warm * (1 + math.cos(math.pi * step / steps)) / 2
