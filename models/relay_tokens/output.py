"""What a relay-token model returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class BranchAttention:
    """Attention between relay tokens and patches in one branch.

    Both tuples hold one tensor a transformer block, ``(B, head, relay token,
    rows, cols)`` on the block's own patch grid; values are in [0, 1]. In a ViT
    all grids are alike; in Swin they halve from stage to stage.
    """

    relay_to_patch: tuple[Tensor, ...]
    """Softmax weight with which a relay token reads each patch. A token's
    weights over the patches, the relay tokens and any class token sum to 1
    (in Swin: within each attention window)."""
    patch_to_relay: tuple[Tensor, ...]
    """Softmax weight with which each patch reads a relay token."""


@dataclass(frozen=True)
class RelayAttention:
    """Recorded attention of both branches."""

    local: BranchAttention
    """Over the local crop's patches."""
    global_: BranchAttention
    """Over the global crop's patches."""


@dataclass(frozen=True)
class RelayOutput:
    """Logits of both branches, and the attention when it was asked for."""

    local_logits: Tensor
    """``(B, class, rows, cols)`` over the local crop, at its resolution."""
    global_logits: Tensor | None = None
    """``(B, class, rows, cols)`` over the global crop; None in a single-scale model."""
    attention: RelayAttention | None = None
    """None unless recorded."""
