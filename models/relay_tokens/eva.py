"""Relay tokens through timm's Vision Transformers with rotary position embedding.

EVA, EVA-02, DINOv3, Perception Encoder, RoPE-ViT: timm has them all in one class.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from timm.layers.pos_embed_sincos import RotaryEmbeddingCat
from timm.models.eva import Eva, EvaBlock
from torch import Tensor

from relay_tokens.config import RelayConfig
from relay_tokens.vit import ViTRelayBackbone


class EvaRelayBackbone(ViTRelayBackbone):
    """Both branches of a Vision Transformer with rotary embedding, sharing every block.

    The rotation has no parameters of its own or belongs to the attention, which
    the branches share: so do they the rotation. Like class and register tokens,
    relay tokens have no place in the crop and are not rotated.
    """

    def __init__(self, config: RelayConfig, eva: Eva) -> None:
        super().__init__(config, eva)
        self.rope = eva.rope
        count = self.relay_tokens.shape[1]
        for block in self.blocks:
            cast(EvaBlock, block).attn.num_prefix_tokens += count

    def rotations(self) -> Sequence[Tensor | None]:
        """Rotary embedding of each block's patches: one for all, or one each."""
        if self.rope is None:
            return super().rotations()
        fixed = hasattr(self.rope, "feat_shape")
        rope = cast(RotaryEmbeddingCat, self.rope)  # or another class with the same call
        embedding: Tensor = rope.get_embed(shape=None if fixed else list(self.grid))
        # Mixed frequencies (block, head, patch, channel) are learned block by block.
        has_own = embedding.ndim == 4
        return list(embedding) if has_own else [embedding] * len(self.blocks)
