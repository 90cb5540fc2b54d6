"""Attention to and from relay tokens, without keeping the full map."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own custom)


class RecordedAttention(NamedTuple):
    """Result of one attention call, with the rows and columns of some tokens."""

    mixed: Tensor
    """``(B, head, token, channel)``: the values, mixed."""
    rows: Tensor
    """``(B, head, marked token, token)``: how the marked tokens read all tokens."""
    columns: Tensor
    """``(B, head, token, marked token)``: how all tokens read the marked ones."""


def attend_recording(
    q: Tensor, k: Tensor, v: Tensor, marked: slice, scale: float, bias: Tensor | None = None
) -> RecordedAttention:
    """Scaled dot-product attention that also returns some rows and columns.

    The columns need every row's softmax denominator. They are had from the
    fused kernel itself: a value column that is 1 at one token and 0 elsewhere
    is mixed to exactly the weight with which each token reads that one. So the
    full ``token × token`` map is never formed here.

    Parameters
    ----------
    q, k, v
        ``(B, head, token, channel)``.
    marked
        The tokens whose rows and columns are returned.
    scale
        Factor of the dot products.
    bias
        Added to the scaled dot products; broadcasts to ``(B, head, token, token)``.
    """
    count, channels = len(range(*marked.indices(q.shape[2]))), q.shape[3]
    marks = v.new_zeros(v.shape[2], count)
    marks[marked] = torch.eye(count, dtype=v.dtype, device=v.device)
    # Fused kernels want q, k and v equally wide; zeros change no dot product.
    wide_v = torch.cat([v, marks.expand(*v.shape[:2], -1, -1)], dim=3)
    wide_q, wide_k = F.pad(q, (0, count)), F.pad(k, (0, count))
    wide = F.scaled_dot_product_attention(wide_q, wide_k, wide_v, attn_mask=bias, scale=scale)
    logits = (q[:, :, marked] @ k.transpose(2, 3)).float() * scale
    if bias is not None:
        logits = logits + bias.expand(-1, -1, q.shape[2], -1)[:, :, marked]
    return RecordedAttention(
        wide[..., :channels], logits.softmax(dim=3), wide[..., channels:].float()
    )
