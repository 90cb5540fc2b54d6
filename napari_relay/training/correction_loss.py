"""What fine-tuning minimises."""

from __future__ import annotations

import torch
from torch import Tensor

from napari_relay.training.lesson import LessonBatch
from relay_tokens import IGNORE_INDEX, LossTerms, RelayLoss, RelayOutput

BELIEF = 0.5
"""Weight of the old model's beliefs of the training data, beside its labels."""


class CorrectionLoss:
    """Learn the corrections, keep the old model's beliefs, and what it was trained on.

    Parameters
    ----------
    context_factor
        The model's.
    rehearsal
        Weight of the old model's beliefs.
    base
        Weight of the training data: of its labels, and half of it of the old model's
        beliefs there, which remind better than labels alone (Buzzega et al., "Dark
        Experience for General Continual Learning", NeurIPS 2020).
    """

    def __init__(self, context_factor: int | None, rehearsal: float, base: float) -> None:
        self._relay = RelayLoss(context_factor)
        self._rehearsal, self._base = rehearsal, base

    def __call__(self, output: RelayOutput, lessons: LessonBatch, base: int) -> Tensor:
        """Compute the loss of a batch.

        Parameters
        ----------
        output
            Logits of the model.
        lessons
            What it was asked.
        base
            How many lessons at the end are of the training data.
        """
        first = len(output.local_logits) - base
        labels, own = lessons.batch.labels, slice(0, first)
        terms: LossTerms = self._relay(_part(output, own), labels[own])
        total = terms.total
        total = total + excluded_loss(output.local_logits[own], lessons.excluded[own])
        total = total + self._rehearsal * _divergence(output, lessons, own)
        if base:
            known = slice(first, None)
            learnt = self._relay(_part(output, known), labels[known]).total
            believed = _divergence(output, lessons, known)
            total = total + self._base * (learnt + BELIEF * believed)
        return total


def excluded_loss(logits: Tensor, excluded: Tensor) -> Tensor:
    """Mean of ``-log(1 - p_c)`` over the pixels that are not class ``c``; 0 without any.

    Kim, Yim, Yun, Kim: "NLNL: Negative Learning for Noisy Labels", ICCV 2019,
    equation 2. From the logits, so that it is finite where ``p_c`` is 1.

    Parameters
    ----------
    logits
        ``(B, class, rows, cols)``, two classes or more.
    excluded
        ``(B, rows, cols)`` int64, class or 255.
    """
    said = excluded != IGNORE_INDEX
    if logits.shape[1] < 2 or not bool(said.any()):
        return logits.new_zeros(())
    rows = logits.movedim(1, -1)[said]
    index = excluded[said][:, None]
    others = rows.scatter(1, index, -torch.inf)
    return (rows.logsumexp(dim=1) - others.logsumexp(dim=1)).mean()


def divergence(logits: Tensor, targets: Tensor, kept: Tensor) -> Tensor:
    """Mean KL(targets || softmax) over the kept pixels; 0 where there are none."""
    log_targets = targets.clamp(min=1e-6).log()
    each = (targets * (log_targets - logits.log_softmax(dim=1))).sum(dim=1)
    return torch.where(kept, each, 0).sum() / kept.sum().clamp(min=1)


def _divergence(output: RelayOutput, lessons: LessonBatch, part: slice) -> Tensor:
    return divergence(output.local_logits[part], lessons.belief[part], lessons.rehearsed[part])


def _part(output: RelayOutput, own: slice) -> RelayOutput:
    wide = None if output.global_logits is None else output.global_logits[own]
    return RelayOutput(output.local_logits[own], wide, None)
