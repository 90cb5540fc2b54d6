"""From one pixel of the local crop back to the global crop, through the relay tokens."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from relay_tokens.config import Exchange
from relay_tokens.errors import UserError
from relay_tokens.output import BranchAttention, RelayAttention, RelayOutput

_RESIDUAL = 0.5  # what an attention step adds to, against what it adds (Abnar & Zuidema, 2020)


@dataclass(frozen=True)
class ContextFlow:
    """Where in the global crop the context of one local pixel comes from."""

    map: Tensor
    """``(rows, cols)`` on the finest patch grid of the global crop, 0 or more;
    sums to 1, or is 0 everywhere when :attr:`share` is."""
    share: float
    """In [0, 1]: the part of what the pixel's patch holds after the last block that
    came out of the global crop, through the relay tokens."""


def context_flow(output: RelayOutput, pixel: tuple[int, int], item: int = 0) -> ContextFlow:
    r"""Compose the attention between relay tokens and patches over all blocks.

    Attention rollout (Abnar & Zuidema, "Quantifying Attention Flow in
    Transformers", ACL 2020) on the path *pixel's patch → relay tokens → global
    patches*: heads are averaged, and after an attention step a token holds
    half of what it held (the residual) and half of what it read. What it reads
    off the path, from its own branch's patches or from other relay tokens, is
    counted as what it held; only what the relay tokens read in the local crop
    takes the place of what they knew of the global one.

    In block :math:`b` let :math:`G_b[t, j]` be the weight with which relay token
    :math:`t` reads global patch :math:`j`, :math:`l_b[t]` the sum of those with
    which it reads the local patches, and :math:`c_b[t]` the weight with which
    the pixel's patch reads it. :math:`M_b[t, j]`, what token :math:`t` holds of
    patch :math:`j`, and :math:`F_b[j]`, what the pixel's patch does, start at 0:

    .. math::

        M' &= (1 - \tfrac12 \textstyle\sum_j G_b)\, M_{b-1} + \tfrac12 G_b \\
        F_b &= (1 - \tfrac12 \textstyle\sum_t c_b)\, F_{b-1} + \tfrac12 c_b M' \\
        M_b &= (1 - \tfrac12 l_b)\, M'

    With ``exchange="mean"`` both branches start from the tokens of the block
    before: the second line has :math:`M_{b-1}` for :math:`M'`, and the third is
    :math:`M_b = \tfrac12 M' + \tfrac12 (1 - \tfrac12 l_b)\, M_{b-1}`. The result is
    :math:`F` after the last block, split into its sum and its shape.

    In Swin a relay token's copies are averaged over the attention windows, so
    their weights are; the coarser grids of later stages are brought to the
    finest one by sharing each cell's weight equally among those it covers.

    Parameters
    ----------
    output
        Of a model called with ``record_attention=True``.
    pixel
        ``(row, col)`` in the local crop, in its pixels.
    item
        Which crop pair of the batch.

    Returns
    -------
    ContextFlow
        Map over the global crop, and the share it stands for.

    Raises
    ------
    UserError
        When no attention was recorded, there are no relay tokens, or the pixel
        is outside the crop.
    """
    attention = output.recorded()
    crop = (output.local_logits.shape[2], output.local_logits.shape[3])
    if not all(0 <= p < side for p, side in zip(pixel, crop, strict=True)):
        raise UserError(f"Pixel {pixel} is outside the local crop of {crop[0]} × {crop[1]} pixels.")
    maps = attention.global_.relay_to_patch
    grid = max((m.shape[3], m.shape[4]) for m in maps)
    held = torch.zeros(maps[0].shape[2], grid[0] * grid[1], device=maps[0].device)
    flow = torch.zeros_like(held[0])
    for reading in _readings(attention, _Place(pixel, crop, item), grid):
        held, flow = _pass_block(held, flow, reading, attention.exchange)
    share = flow.sum()
    return ContextFlow((flow / share if share > 0 else flow).reshape(grid), min(float(share), 1.0))


class _Reading(NamedTuple):
    """Attention weights of one block, mean over heads."""

    global_: Tensor
    """``(relay token, global patch)`` on the finest grid, rows sum to 1 at most."""
    local: Tensor
    """``(relay token, 1)``: of all local patches together."""
    patch: Tensor
    """``(relay token,)``: with which the pixel's patch reads each."""


class _Place(NamedTuple):
    """One pixel of a batch of local crops."""

    pixel: tuple[int, int]
    crop: tuple[int, int]
    item: int

    def of(self, weights: Tensor) -> Tensor:
        """``(relay token,)``: the weights of the pixel's patch, mean over heads."""
        rows, cols = weights.shape[3:]
        row, col = self.pixel[0] * rows // self.crop[0], self.pixel[1] * cols // self.crop[1]
        return weights[self.item, :, :, row, col].mean(dim=0)


def _readings(
    attention: RelayAttention, place: _Place, grid: tuple[int, int]
) -> Iterator[_Reading]:
    for block, columns in enumerate(attention.local.patch_to_relay):
        wide = _relay_to_patch(attention.global_, block, place.item)
        near = _relay_to_patch(attention.local, block, place.item)
        yield _Reading(
            _spread(wide, grid).flatten(1).float(),
            near.sum(dim=(1, 2))[:, None].float(),
            place.of(columns).float(),
        )


def _relay_to_patch(branch: BranchAttention, block: int, item: int) -> Tensor:
    """``(relay token, rows, cols)``: mean over heads and over attention windows."""
    windows = branch.windows[block] if branch.windows else 1
    return branch.relay_to_patch[block][item].mean(dim=0) / windows


def _spread(weights: Tensor, grid: tuple[int, int]) -> Tensor:
    """``(relay token, rows, cols)`` on a finer ``grid``, its sum unchanged."""
    for dim, fine in ((1, grid[0]), (2, grid[1])):
        coarse = weights.shape[dim]
        covering = torch.arange(fine, device=weights.device) * coarse // fine
        shared = weights.index_select(dim, covering)
        shape = [fine if d == dim else 1 for d in range(3)]
        weights = shared / torch.bincount(covering)[covering].reshape(shape)
    return weights


def _pass_block(
    held: Tensor, flow: Tensor, reading: _Reading, exchange: Exchange
) -> tuple[Tensor, Tensor]:
    """:math:`M_b` and :math:`F_b` of :func:`context_flow` from those of the block before."""
    taken = _RESIDUAL * reading.global_
    after_global = (1 - taken.sum(dim=1, keepdim=True)) * held + taken
    start = after_global if exchange == "sequential" else held
    read = _RESIDUAL * reading.patch
    flow = (1 - read.sum()) * flow + read @ start
    after_local = (1 - _RESIDUAL * reading.local) * start
    return (after_local if exchange == "sequential" else (after_global + after_local) / 2), flow
