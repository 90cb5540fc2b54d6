"""Teaching a model a person's corrections without forgetting the rest."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.crops import check_fit
from napari_relay.inference.devices import choose_device
from napari_relay.training.corrected_examples import (
    CorrectedExamples,
    Lesson,
    gather_examples,
    stack_lessons,
)
from napari_relay.training.evaluation import evaluate
from napari_relay.training.examples import ExampleReader
from napari_relay.training.labels import LabelSource
from napari_relay.training.metrics import Scores
from relay_tokens import (
    Checkpoint,
    LossTerms,
    RelayLoss,
    RelayOutput,
    RelaySegmenter,
    UserError,
)


@dataclass(frozen=True)
class FinetuneOptions:
    """How a round of fine-tuning goes."""

    steps: int = 50
    """Number of batches."""
    learning_rate: float = 3e-4
    """Of AdamW, falling to 0 along a half cosine."""
    batch_size: int = 4
    """Crop pairs in a batch: half with corrections, half replayed."""
    rehearsal: float = 3.0
    """Weight of staying with the old model's predictions away from corrections."""
    holdout: float = 0.25
    """Share of the corrected windows that is measured on instead of learnt, when
    there are at least four."""
    trains: Literal["head", "all"] = "all"
    """What changes: head, relay tokens and the last block, or everything."""
    replayed: int = 12
    """Windows away from corrections whose predictions are rehearsed."""
    minimum_agreement: float = 0.8
    """Smallest mean IoU with the old predictions on unseen replayed windows for
    the new model to be recommended."""
    evaluate_every: int = 10
    """Steps between two evaluations; the best one's weights are kept."""
    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``mps`` ..."""
    seed: int = 0
    """Of the held-out choice, crops and augmentations."""

    def __post_init__(self) -> None:
        for name, least in (("steps", 1), ("batch_size", 2), ("evaluate_every", 1)):
            if getattr(self, name) < least:
                raise UserError(f"{name} is {getattr(self, name)}; it must be at least {least}.")
        if self.trains not in ("head", "all"):
            raise UserError(f"trains is {self.trains!r}; it must be head or all.")


@dataclass(frozen=True)
class FinetuneResult:
    """A new model, and how it compares with the old one."""

    state: Checkpoint
    """The new model, on the CPU; the old one is as it was."""
    before: Scores
    """The old model on the measured corrections."""
    after: Scores
    """The new model on the same."""
    is_held_out: bool
    """Whether the measured corrections were kept out of the training. With fewer
    than four corrected windows all are learnt, and measured on too."""
    agreement: float
    """Mean IoU of new with old predictions on replayed windows not rehearsed, 0 to 1."""
    recommended: bool
    """No worse on the measured corrections, and little changed elsewhere."""


@dataclass(frozen=True)
class FinetuneProgress:
    """Where a round of fine-tuning is after a step."""

    step: int
    """Steps done."""
    steps: int
    """Steps in all."""
    loss: float
    """Of this step's batch."""
    before: float
    """The old model's mIoU on the measured corrections."""
    after: float
    """mIoU of the best weights so far; ``before`` until first measured."""
    finished: bool = False
    """Whether this is the last item."""
    result: FinetuneResult | None = None
    """The new model, in the last item."""


def finetune(
    checkpoint: Checkpoint,
    image: PyramidImage,
    corrections: LabelSource,
    windows: Sequence[Window],
    options: FinetuneOptions | None = None,
) -> Iterator[FinetuneProgress]:
    """Fine-tune a copy of a model on corrections.

    It learns from corrected pixels alone. In the rest of those crops (32 pixels
    and more away from a correction) and in replayed windows it is held to the
    old model's soft predictions (Kullback-Leibler divergence).

    Parameters
    ----------
    checkpoint
        The model to start from; never changed, also when the generator is closed.
    image
        The image that was corrected.
    corrections
        Classes that were painted; 255 elsewhere.
    windows
        Where corrections lie, level-0 pixels; of any size.
    options
        How long and how.

    Yields
    ------
    FinetuneProgress
        After every step; the last one carries the result.

    Raises
    ------
    UserError
        When nothing was corrected, or the image does not fit the model.
    """
    options = options or FinetuneOptions()
    check_fit(image, checkpoint.metadata)
    device = choose_device(options.device)
    reader = ExampleReader(image, corrections, checkpoint.model.config, checkpoint.metadata)
    teacher = copy.deepcopy(checkpoint.model).to(device).eval()
    examples = gather_examples(
        reader, teacher, windows, options.holdout, options.replayed, options.seed
    )
    round_ = _Round(teacher, examples, options)
    for step in range(options.steps):
        loss = round_.descend(step)
        last = step + 1 == options.steps
        if last or (step + 1) % options.evaluate_every == 0:
            round_.measure()
        yield FinetuneProgress(
            step=step + 1,
            steps=options.steps,
            loss=loss,
            before=round_.before.miou,
            after=(round_.after or round_.before).miou,
            finished=last,
            result=round_.result(checkpoint) if last else None,
        )


class _Round:
    """One round's student, optimiser and best weights so far."""

    def __init__(
        self, teacher: RelaySegmenter, examples: CorrectedExamples, options: FinetuneOptions
    ) -> None:
        self.examples, self.options = examples, options
        self.student = copy.deepcopy(teacher).train()
        self.loss = RelayLoss(teacher.config.context_factor)
        self.before = evaluate(teacher, examples.measured)
        self.after: Scores | None = None
        self.agreement, self.value = math.nan, -math.inf
        self.best = copy.deepcopy(self.student.state_dict())
        self.optimizer = torch.optim.AdamW(
            _trainable(self.student, options.trains), options.learning_rate, weight_decay=0.01
        )

    def descend(self, step: int) -> float:
        """Do one step on a batch of corrected and replayed crops."""
        rng = np.random.default_rng([self.options.seed, 3, step])
        lessons = self.examples.draw(rng, self.options.batch_size)
        for group in self.optimizer.param_groups:
            group["lr"] = _cosine(self.options.learning_rate, step, self.options.steps)
        loss = self._loss(lessons)
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 1.0)
        self.optimizer.step()
        return float(loss.detach())

    def measure(self) -> None:
        """Keep the present weights when they are the best so far.

        Best by the sum of what was to be learnt and what was to be kept, so of
        two that know the corrections alike the one that forgot less.
        """
        scores = evaluate(self.student, self.examples.measured)
        agreement = evaluate(self.student, self.examples.unseen).miou
        value = scores.miou + (0.0 if math.isnan(agreement) else agreement)
        if self.after is None or value > self.value:
            self.after, self.agreement, self.value = scores, agreement, value
            self.best = copy.deepcopy(self.student.state_dict())

    def result(self, checkpoint: Checkpoint) -> FinetuneResult:
        """The best new model beside the old one."""
        model = copy.deepcopy(checkpoint.model).cpu()
        self.student.load_state_dict(self.best)
        model.load_state_dict(self.student.state_dict())
        after = self.after or self.before
        return FinetuneResult(
            state=Checkpoint(model.eval(), checkpoint.metadata),
            before=self.before,
            after=after,
            is_held_out=self.examples.is_held_out,
            agreement=self.agreement,
            recommended=_is_recommended(self.before, after, self.agreement, self.options),
        )

    def _loss(self, lessons: Sequence[Lesson]) -> Tensor:
        device = next(self.student.parameters()).device
        batch, targets, kept = stack_lessons(lessons)
        moved = batch.to(device)
        output: RelayOutput = self.student(moved.local, moved.global_)
        terms: LossTerms = self.loss(output, moved.labels)
        forgotten = _divergence(output.local_logits, targets.to(device), kept.to(device))
        return terms.total + self.options.rehearsal * forgotten


def _trainable(model: RelaySegmenter, trains: Literal["head", "all"]) -> list[Tensor]:
    """Parameters that change; the others are frozen.

    ``head``: the segmentation head, the relay tokens and the last block's
    parameters, found by name.
    """
    if trains == "all":
        return list(model.parameters())
    names = [name for name, _ in model.named_parameters()]
    blocks = [name.rsplit("blocks.", 1) for name in names if "blocks." in name]
    last = max((b, int(rest.split(".")[0])) for b, rest in blocks)
    chosen = ("head.", "backbone.relay", f"{last[0]}blocks.{last[1]}.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith(chosen))
    return [p for p in model.parameters() if p.requires_grad]


def _cosine(learning_rate: float, step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / 5)
    return learning_rate * warm * (1 + math.cos(math.pi * step / steps)) / 2


def _divergence(logits: Tensor, targets: Tensor, kept: Tensor) -> Tensor:
    """Mean KL(targets || softmax) over the kept pixels; 0 where there are none."""
    log_targets = targets.clamp(min=1e-6).log()
    divergence = (targets * (log_targets - logits.log_softmax(dim=1))).sum(dim=1)
    return torch.where(kept, divergence, 0).sum() / kept.sum().clamp(min=1)


def _is_recommended(
    before: Scores, after: Scores, agreement: float, options: FinetuneOptions
) -> bool:
    no_worse = after.miou >= before.miou
    # Without a replayed window there is nothing it could have forgotten on.
    return no_worse and (math.isnan(agreement) or agreement >= options.minimum_agreement)
