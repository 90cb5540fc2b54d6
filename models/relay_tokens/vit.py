"""Relay tokens through a plain Vision Transformer of timm."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import partial
from typing import cast

import torch
from timm.layers.attention import Attention, AttentionRope
from timm.models.eva import Eva, EvaAttention, EvaBlock, EvaBlockPostNorm
from timm.models.vision_transformer import (
    Block,
    ParallelScalingBlock,
    ResPostBlock,
    VisionTransformer,
)
from torch import Tensor, nn

from relay_tokens.attention import RecordedAttention
from relay_tokens.backbone import RelayBackbone
from relay_tokens.config import RelayConfig
from relay_tokens.errors import UserError
from relay_tokens.exchange import BlockAttention, BlockResult, Tokens, run_blocks
from relay_tokens.recording import RecordingMode

_BLOCKS = (Block, ResPostBlock, ParallelScalingBlock, EvaBlock, EvaBlockPostNorm)
_ATTENTIONS = (Attention, EvaAttention, AttentionRope, type(None))


class PatchTokens(nn.Module):
    """One branch's patch embedding, class and register tokens and position embedding."""

    positions: Tensor | None

    def __init__(self, vit: VisionTransformer | Eva) -> None:
        super().__init__()
        self.patch_embed = copy.deepcopy(vit.patch_embed)
        self.norm_pre = copy.deepcopy(vit.norm_pre)
        tokens, positions = _prefix(vit), vit.pos_embed
        patches: int = vit.patch_embed.num_patches
        if positions is None:
            self.register_parameter("positions", None)
        else:
            self.positions = nn.Parameter(positions[:, -patches:].detach().clone())
            # A class or register token's position is a constant: folded in here.
            if positions.shape[1] > patches:
                tokens = tokens + positions[:, :-patches]
        self.prefix = nn.Parameter(tokens.detach().clone())

    def forward(self, image: Tensor) -> Tensor:
        """``(B, band, crop, crop)`` to ``(B, prefix + patch, channel)``."""
        patches = self.patch_embed(image)
        if self.positions is not None:
            patches = patches + self.positions
        prefix = self.prefix.expand(patches.shape[0], -1, -1)
        tokens: Tensor = self.norm_pre(torch.cat([prefix, patches], dim=1))
        return tokens


def _prefix(vit: VisionTransformer | Eva) -> Tensor:
    """Class, distillation and register tokens ``(1, prefix, channel)``, in timm's order."""
    names = ("cls_token", "dist_token", "reg_token")
    found = [getattr(vit, name, None) for name in names]
    tokens: list[Tensor] = [token for token in found if token is not None]
    return torch.cat(tokens, dim=1) if tokens else torch.zeros(1, 0, vit.embed_dim)


class ViTRelayBackbone(RelayBackbone):
    """Both branches of a Vision Transformer, sharing every block.

    As in the authors' code the final norm is left out: the head reads the last
    block's tokens.
    """

    def __init__(self, config: RelayConfig, vit: VisionTransformer | Eva) -> None:
        _require_known_blocks(config.backbone, vit.blocks)
        super().__init__(config, PatchTokens(vit), PatchTokens(vit), vit.embed_dim)
        self.channels: int = vit.embed_dim
        self.stride = cast(int, vit.patch_embed.feat_ratio())
        self.grid: tuple[int, int] = vit.patch_embed.grid_size
        self.attention_strides = (self.stride,) * len(vit.blocks)
        self.blocks = vit.blocks
        for module in self.blocks.modules():
            # Recording needs the fused call, which an environment variable may have switched off.
            if hasattr(module, "fused_attn"):
                setattr(module, "fused_attn", True)  # noqa: B010

    def run(self, tokens: Tokens, record: bool) -> Tokens:
        """Take ``(B, prefix + patch, channel)`` tokens through all blocks."""
        ropes = self.rotations()
        blocks = [
            partial(run_block, block, rope, self.grid)
            for block, rope in zip(self.blocks, ropes, strict=True)
        ]
        return run_blocks(blocks, tokens, self.exchange, record)

    def rotations(self) -> Sequence[Tensor | None]:
        """Rotary position embedding of each block; a plain ViT has none."""
        return [None] * len(self.blocks)

    def to_map(self, tokens: Tensor) -> Tensor:
        """``(B, prefix + patch, channel)`` to ``(B, channel, rows, cols)``."""
        rows, cols = self.grid
        return torch.unflatten(tokens[:, -rows * cols :].mT, 2, (rows, cols))


def _require_known_blocks(name: str, blocks: nn.Module) -> None:
    for block in blocks.children():
        attention = getattr(block, "attn", None)
        if type(block) not in _BLOCKS or type(attention) not in _ATTENTIONS:
            kind = type(block).__name__ if attention is None else type(attention).__name__
            raise UserError(
                f"Backbone {name} has blocks of a kind relay tokens cannot join ({kind}); "
                "choose one with plain transformer blocks, such as vit_small_patch16_224."
            )


def run_block(
    block: nn.Module,
    rope: Tensor | None,
    grid: tuple[int, int],
    tokens: Tensor,
    relay: Tensor,
    record: bool,
) -> BlockResult:
    """Join, run one transformer block of timm, part.

    Parameters
    ----------
    rope
        Rotary embedding of the patches, for blocks that take one.
    tokens
        ``(B, prefix + patch, channel)``.
    relay
        ``(B, relay token, channel)``; placed before the branch's tokens.
    """
    call = block if rope is None else partial(block, rope=rope)
    joined, count = torch.cat([relay, tokens], dim=1), relay.shape[1]
    if not record:
        joined = call(joined)
        return BlockResult(joined[:, count:], joined[:, :count], None)
    calls: list[RecordedAttention] = []
    with RecordingMode(slice(0, count), calls):
        joined = call(joined)
    (seen,) = calls
    return BlockResult(joined[:, count:], joined[:, :count], _on_grid(seen, grid))


def _on_grid(seen: RecordedAttention, grid: tuple[int, int]) -> BlockAttention:
    patches = grid[0] * grid[1]
    rows = torch.unflatten(seen.rows[..., -patches:], 3, grid)
    columns = torch.unflatten(seen.columns[:, :, -patches:].mT, 3, grid)
    return BlockAttention(rows, columns)
