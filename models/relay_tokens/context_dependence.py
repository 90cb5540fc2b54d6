"""Which pixels owe their class to the global crop: a causal check beside attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from relay_tokens.errors import UserError
from relay_tokens.segmenter import RelaySegmenter


@dataclass(frozen=True)
class ContextDependence:
    """What a model says with its context, and without it or with another."""

    changed: Tensor
    """``(B, rows, cols)`` bool: the class is another one."""
    before: Tensor
    """``(B, rows, cols)`` int64: class with the context."""
    after: Tensor
    """``(B, rows, cols)`` int64: class without it, or with the other one."""
    probability_change: Tensor
    """``(B, rows, cols)`` in [-1, 1]: by how much the probability of :attr:`before`
    rises; negative where the context spoke for it."""


@torch.no_grad()
def context_dependence(
    model: RelaySegmenter,
    local: Tensor,
    global_: Tensor | None,
    other_global: Tensor | None = None,
    cut: bool = False,
) -> ContextDependence:
    """Run a model twice, and compare what it says of the local crop.

    Attention shows what is read, not what it is good for. Here the context is
    taken away: the pixels that change class are those that depended on it.

    Parameters
    ----------
    model
        In eval mode.
    local, global_
        ``(B, band, crop_size, crop_size)`` each, normalised; ``global_`` may be
        None for a model that reads the local crop only.
    other_global
        The global crop of the second run; None: a blank one, zero in every
        band, which normalised is the mean.
    cut
        Leave the global crop as it is, and keep the relay tokens from reading
        the global branch: they start as learned and read the local branch only.

    Returns
    -------
    ContextDependence
        Classes of both runs over the local crop, and where they differ.

    Raises
    ------
    UserError
        When the model is in training mode, whose random parts would be taken
        for an effect of the context; or for both ``cut`` and ``other_global``.
    """
    if model.training:
        raise UserError("The model is in training mode; call model.eval() before comparing runs.")
    if cut and other_global is not None:
        raise UserError("Cut the global reading or give another global crop, not both.")
    if other_global is None and global_ is not None:
        other_global = global_ if cut else torch.zeros_like(global_)
    with_context = model(local, global_).local_logits.float().softmax(dim=1)
    without = model(local, other_global, global_reading=not cut).local_logits.float().softmax(dim=1)
    before, after = with_context.argmax(dim=1), without.argmax(dim=1)
    change = (without - with_context).gather(1, before[:, None])[:, 0]
    return ContextDependence(before != after, before, after, change)
