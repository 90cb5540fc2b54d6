"""What the blocks of Swin Transformer and of Swin Transformer V2 do differently."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple, cast

import torch
from timm.models import swin_transformer, swin_transformer_v2
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

SwinBlock = swin_transformer.SwinTransformerBlock | swin_transformer_v2.SwinTransformerV2Block
"""A block of either version: attention, norms, MLP, shift and mask by the same names."""

Attention = swin_transformer.WindowAttention | swin_transformer_v2.WindowAttention
"""Window attention of either version."""


class SwinVersion(NamedTuple):
    """The formulas of one version, taken from timm's own forward passes."""

    norm_first: bool
    """Whether a block's norms come before attention and MLP (V1) or after (V2)."""
    project: Callable[[Attention, Tensor], tuple[Tensor, Tensor, Tensor]]
    """Queries (scaled), keys and values ``(B, attention window × head, token,
    channel)`` of ``(B, attention window, token, channel)``."""
    relative_bias: Callable[[Attention], Tensor]
    """Relative position bias ``(1, head, patch, patch)`` of an attention window."""


def version_of(block: SwinBlock) -> SwinVersion:
    """Tell which formulas a block follows."""
    return V2 if isinstance(block, swin_transformer_v2.SwinTransformerV2Block) else V1


def _project_v1(attn: Attention, joined: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Dot-product attention (Liu et al. 2021, equation 4)."""
    attn = cast(swin_transformer.WindowAttention, attn)
    q, k, v = _by_head(attn.qkv(joined), attn.num_heads)
    return q * attn.scale, k, v


def _project_v2(attn: Attention, joined: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Cosine attention, the learned scale in the queries (Liu et al. 2022, equation 2)."""
    attn = cast(swin_transformer_v2.WindowAttention, attn)
    bias = None
    if attn.q_bias is not None:
        bias = torch.cat([attn.q_bias, attn.get_buffer("k_bias"), cast(Tensor, attn.v_bias)])
    q, k, v = _by_head(F.linear(joined, attn.qkv.weight, bias), attn.num_heads)
    scale = attn.logit_scale.clamp(max=math.log(100.0)).exp()
    q = F.normalize(q, dim=-1).unflatten(1, (-1, attn.num_heads)) * scale
    return q.flatten(1, 2).to(v.dtype), F.normalize(k, dim=-1).to(v.dtype), v


def _by_head(qkv: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """``(B, attention window, token, 3 × channel)`` to three of ``(B, window × head, ...)``."""
    split = qkv.unflatten(3, (3, heads, -1)).permute(3, 0, 1, 4, 2, 5).flatten(2, 3)
    q, k, v = split.unbind(0)
    return q, k, v


def _relative_bias_v1(attn: Attention) -> Tensor:
    """Look the learned biases up (Liu et al. 2021, section 3.2)."""
    table = cast(swin_transformer.WindowAttention, attn).relative_position_bias_table
    return _look_up(table, attn)


def _relative_bias_v2(attn: Attention) -> Tensor:
    """Compute the biases from log-spaced coordinates (Liu et al. 2022, equations 3 and 4)."""
    attn = cast(swin_transformer_v2.WindowAttention, attn)
    table = attn.cpb_mlp(attn.get_buffer("relative_coords_table")).view(-1, attn.num_heads)
    return 16 * _look_up(table, attn).sigmoid()


def _look_up(table: Tensor, attn: Attention) -> Tensor:
    area = attn.window_size[0] * attn.window_size[1]
    index = attn.get_buffer("relative_position_index").view(-1)
    return table[index].view(area, area, -1).permute(2, 0, 1)[None]


V1 = SwinVersion(True, _project_v1, _relative_bias_v1)
V2 = SwinVersion(False, _project_v2, _relative_bias_v2)
