"""The training loss of both branches."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from relay_tokens.output import RelayOutput
from relay_tokens.schema import IGNORE_INDEX


class LossTerms(NamedTuple):
    """The three losses and their weighted sum, each a scalar."""

    local: Tensor
    """Cross-entropy of the local branch with the labels."""
    global_: Tensor
    """Cross-entropy of the global branch's centre with pooled labels."""
    consistency: Tensor
    """Cross-entropy of the global branch's centre with the pooled local softmax."""
    total: Tensor
    """Weighted sum; what is minimised."""


class RelayLoss(nn.Module):
    """CE(local) + w_g · CE(centre of global) + w_c · consistency (DESIGN, the paper's loss).

    The centre of the global crop, ``1 / context_factor`` of its side, shows
    what the local crop shows, ``context_factor`` times coarser: labels and
    local softmax are pooled to it. As in the authors' code, a cell with any
    ignored pixel adds nothing to the global loss and still counts in its mean,
    and the consistency is taken over all cells, labelled or not. A batch
    without any label gives 0 and finite gradients.
    """

    def __init__(
        self,
        context_factor: int | None,
        ignore_index: int = IGNORE_INDEX,
        global_weight: float = 0.1,
        consistency_weight: float = 0.1,
    ) -> None:
        super().__init__()
        self.context_factor = context_factor
        self.ignore_index = ignore_index
        self.global_weight = global_weight
        self.consistency_weight = consistency_weight

    def forward(self, output: RelayOutput, labels: Tensor) -> LossTerms:
        """Compute the losses of a batch.

        Parameters
        ----------
        output
            Logits of the model.
        labels
            ``(B, rows, cols)`` int64 over the local crop, class or ignore index.
        """
        kept = labels != self.ignore_index
        each = F.cross_entropy(
            output.local_logits, labels, ignore_index=self.ignore_index, reduction="none"
        )
        local = each.sum() / kept.sum().clamp(min=1)
        if output.global_logits is None or self.context_factor is None:
            zero = local.new_zeros(())
            return LossTerms(local, zero, zero, local)
        centre = central_logits(output.global_logits, self.context_factor)
        cells = (centre.shape[2], centre.shape[3])
        whole = F.adaptive_avg_pool2d(kept.float()[:, None], cells)[:, 0] == 1
        hard = F.one_hot(labels.where(kept, 0), centre.shape[1]).permute(0, 3, 1, 2)
        soft = F.adaptive_avg_pool2d(hard.to(centre.dtype), cells)
        global_ = (_soft_cross_entropy(centre, soft) * whole).mean()
        believed = F.adaptive_avg_pool2d(output.local_logits.softmax(dim=1), cells)
        consistency = _soft_cross_entropy(centre, believed).mean() * kept.any()
        total = local + self.global_weight * global_ + self.consistency_weight * consistency
        return LossTerms(local, global_, consistency, total)


def central_logits(global_logits: Tensor, context_factor: int) -> Tensor:
    """Cut out the part of the global branch that lies over the local crop.

    ``(B, class, rows, cols)`` to ``(B, class, rows // f, cols // f)``.
    """
    rows, cols = (side // context_factor for side in global_logits.shape[2:])
    y0, x0 = (global_logits.shape[2] - rows) // 2, (global_logits.shape[3] - cols) // 2
    return global_logits[:, :, y0 : y0 + rows, x0 : x0 + cols]


def _soft_cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    return -(target * logits.log_softmax(dim=1)).sum(dim=1)
