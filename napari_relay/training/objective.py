"""What is minimised."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from napari_relay.training.options import TrainOptions
from relay_tokens import LossTerms, RelayLoss, RelaySegmenter


class Objective(nn.Module):
    """Model and loss as one module: what Fabric wraps and spreads.

    A batch may come in equal parts. The mean of the parts' losses is the loss of
    the batch, and the mean of their gradients its gradient.

    Parameters
    ----------
    model
        What is trained.
    options
        Weights of the losses.
    """

    def __init__(self, model: RelaySegmenter, options: TrainOptions) -> None:
        super().__init__()
        self.model = model
        self.loss = RelayLoss(
            model.config.context_factor,
            global_weight=options.global_weight,
            consistency_weight=options.consistency_weight,
        )

    def forward(
        self, local: Tensor, global_: Tensor | None, labels: Tensor, labelled: float = 1.0
    ) -> LossTerms:
        """Compute the losses of a part of a batch.

        Parameters
        ----------
        local, global_
            Crops, ``(B, band, crop, crop)``.
        labels
            ``(B, crop, crop)``, class or 255.
        labelled
            Labelled pixels of this part, over those of a part on average. The local
            loss is a mean over labelled pixels, which parts have more or less of;
            the others are means over cells, which all parts have alike.
        """
        output = self.model(local, global_)
        terms: LossTerms = self.loss(output, labels)
        if labelled == 1:
            return terms
        scaled, consistency = terms.local * labelled, terms.consistency
        if labelled == 0:
            # RelayLoss leaves it out without any label, but the batch has some.
            consistency = self.loss(output, torch.zeros_like(labels)).consistency
        total = (
            scaled
            + self.loss.global_weight * terms.global_
            + self.loss.consistency_weight * consistency
        )
        return LossTerms(scaled, terms.global_, consistency, total)


def has_unused_parameters(objective: Objective) -> bool:
    """Whether some parameters get no gradient, tried on one empty example."""
    config, device = objective.model.config, next(objective.parameters()).device
    crop = torch.zeros(1, config.in_channels, config.crop_size, config.crop_size, device=device)
    # Nothing is drawn, and no statistics are taken, in eval mode.
    objective.eval()
    terms = objective(crop, crop if config.context_factor else None, crop[:, 0].long())
    terms.total.backward()
    unused = any(p.grad is None for p in objective.parameters() if p.requires_grad)
    objective.zero_grad()
    return unused
