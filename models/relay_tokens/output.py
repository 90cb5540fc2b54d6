"""What a relay-token model returns."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from relay_tokens.config import Exchange
from relay_tokens.errors import UserError


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
    windows: tuple[int, ...] = ()
    """Attention windows of each block, over which a relay token's copies are
    averaged; 1 in a ViT. Empty: 1 in every block."""


@dataclass(frozen=True)
class RelayAttention:
    """Recorded attention of both branches."""

    local: BranchAttention
    """Over the local crop's patches."""
    global_: BranchAttention
    """Over the global crop's patches."""
    exchange: Exchange = "sequential"
    """In which order the relay tokens read the branches."""


@dataclass(frozen=True)
class RelayOutput:
    """Logits of both branches, and the attention when it was asked for."""

    local_logits: Tensor
    """``(B, class, rows, cols)`` over the local crop, at its resolution."""
    global_logits: Tensor | None = None
    """``(B, class, rows, cols)`` over the global crop; None in a model of one scale."""
    attention: RelayAttention | None = None
    """None unless recorded."""

    def recorded(self) -> RelayAttention:
        """The attention of a model with relay tokens.

        Raises
        ------
        UserError
            When it was not recorded, or there are no relay tokens.
        """
        if self.attention is None:
            raise UserError(
                "This output has no attention; call the model with record_attention=True."
            )
        maps = self.attention.global_.relay_to_patch
        if not maps or maps[0].shape[2] == 0:
            raise UserError("This model has no relay tokens; choose one that has some.")
        return self.attention
