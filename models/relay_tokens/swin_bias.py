"""The attention bias of Swin blocks: relative positions and shift masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from relay_tokens.swin_versions import SwinBlock, version_of

_Key = tuple[object, ...]


def position_bias(block: SwinBlock, count: int) -> Tensor:
    """Attention bias of a block: relative position and shift mask, zero for relay tokens.

    Returns
    -------
    Tensor
        ``(1, attention window × head, token, token)``, or ``(1, 1 × head, ...)``
        where all attention windows share it; token = patches, then relay tokens.
    """
    bias = version_of(block).relative_bias(block.attn)
    if any(block.shift_size):
        bias = bias + block.get_buffer("attn_mask")[:, None]
    return F.pad(bias, (0, count, 0, count))


class PositionBiases:
    """Keeps the biases of blocks while nothing that they are made of changes.

    Without gradients a bias depends on the weights alone: it is made once, not
    at every forward pass. A weight that was changed in place, moved or replaced
    is noticed. Copies of a model begin with nothing kept.
    """

    def __init__(self) -> None:
        self._kept: dict[SwinBlock, tuple[_Key, Tensor]] = {}

    def of(self, block: SwinBlock, count: int) -> Tensor:
        """What :func:`position_bias` returns."""
        # Tensors made in inference mode do not count their changes.
        untold = any(p.is_inference() for p in block.attn.parameters())
        if torch.is_grad_enabled() or torch.compiler.is_compiling() or untold:
            return position_bias(block, count)
        key = _key(block, count)
        kept = self._kept.get(block)
        if kept is None or kept[0] != key:
            kept = self._kept[block] = key, position_bias(block, count)
        return kept[1]

    def __deepcopy__(self, memo: Mapping[int, Any]) -> PositionBiases:
        return PositionBiases()

    def __reduce__(self) -> tuple[type[PositionBiases], tuple[()]]:
        return PositionBiases, ()


def _key(block: SwinBlock, count: int) -> _Key:
    weights = tuple((p.data_ptr(), p._version, p.dtype) for p in block.attn.parameters())
    device = next(block.attn.parameters()).device
    return count, device, torch.is_autocast_enabled(device.type), weights
