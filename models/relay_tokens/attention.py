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

    The columns need every row's softmax denominator, and the full
    ``token × token`` map is never formed for it: the fused kernel itself tells,
    in one of two ways that give the same numbers.

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
    if _kernel_returns_denominators(q, k, v):
        return _attend_with_denominators(q, k, v, marked, scale, bias)
    return _attend_widened(q, k, v, marked, scale, bias)


def _kernel_returns_denominators(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether PyTorch's CPU kernel can be asked: it is not public, gives the
    denominators no gradient, and casts nothing under autocast.
    """
    autocast = torch.is_autocast_enabled("cpu")
    dtype = torch.get_autocast_dtype("cpu") if autocast else q.dtype
    if dtype not in (torch.float32, torch.bfloat16):
        return False
    if any(t.dtype != dtype or t.device.type != "cpu" for t in (q, k, v)):
        return False
    needs_gradient = torch.is_grad_enabled() and any(t.requires_grad for t in (q, k, v))
    known = hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu")
    return known and not needs_gradient


def _attend_with_denominators(
    q: Tensor, k: Tensor, v: Tensor, marked: slice, scale: float, bias: Tensor | None
) -> RecordedAttention:
    """Weights from the logarithm of each row's denominator: ``exp(logit - lse)``."""
    kernel = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    mixed, lse = kernel(q, k, v, attn_mask=bias, scale=scale)
    rows = _logits(q[:, :, marked], k, scale)
    columns = _logits(k[:, :, marked], q, scale)
    if bias is not None:
        rows = rows + _expanded(bias, q)[:, :, marked]
        columns = columns + _expanded(bias, q)[..., marked].mT
    columns = (columns - lse[:, :, None]).exp().clamp(max=1)  # rounding may pass 1
    return RecordedAttention(mixed, rows.softmax(dim=3), columns.mT)


def _attend_widened(
    q: Tensor, k: Tensor, v: Tensor, marked: slice, scale: float, bias: Tensor | None
) -> RecordedAttention:
    """Weights mixed by the kernel: a value channel that is 1 at one token and 0
    elsewhere is mixed to exactly the weight with which each token reads that one.
    """
    count, channels = len(range(*marked.indices(q.shape[2]))), q.shape[3]
    # Fused kernels want q, k and v equally wide (zeros change no dot product),
    # and are fastest at multiples of 8 channels.
    extra = -(channels + count) % 8 + count
    marks = v.new_zeros(v.shape[2], extra)
    marks[marked, :count] = torch.eye(count, dtype=v.dtype, device=v.device)
    wide_v = torch.cat([v, marks.expand(*v.shape[:2], -1, -1)], dim=3)
    wide_q, wide_k = F.pad(q, (0, extra)), F.pad(k, (0, extra))
    wide = F.scaled_dot_product_attention(wide_q, wide_k, wide_v, attn_mask=bias, scale=scale)
    rows = _logits(q[:, :, marked], k, scale)
    if bias is not None:
        rows = rows + _expanded(bias, q)[:, :, marked]
    columns = wide[..., channels : channels + count].float()
    return RecordedAttention(wide[..., :channels], rows.softmax(dim=3), columns)


def _logits(some: Tensor, all_: Tensor, scale: float) -> Tensor:
    """``(B, head, some token, token)``, as the kernel has them: in single precision."""
    with torch.autocast(some.device.type, enabled=False):
        return some.float() @ all_.float().mT * scale


def _expanded(bias: Tensor, q: Tensor) -> Tensor:
    return bias.expand(-1, -1, q.shape[2], -1)
