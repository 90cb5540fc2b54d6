"""Relay tokens through a plain Vision Transformer of timm."""

from __future__ import annotations

import copy
from functools import partial
from typing import cast

import torch
from timm.layers.attention import Attention
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from relay_tokens.attention import RecordedAttention, attend_recording
from relay_tokens.backbone import RelayBackbone
from relay_tokens.config import RelayConfig
from relay_tokens.errors import UserError
from relay_tokens.exchange import BlockAttention, BlockResult, Tokens, run_blocks


class PatchTokens(nn.Module):
    """One branch's patch embedding and position embedding."""

    def __init__(self, vit: VisionTransformer) -> None:
        super().__init__()
        self.patch_embed = copy.deepcopy(vit.patch_embed)
        self.norm_pre = copy.deepcopy(vit.norm_pre)
        prefix: list[Tensor] = [t for t in (vit.cls_token, vit.reg_token) if t is not None]
        tokens = torch.cat(prefix, dim=1) if prefix else torch.zeros(1, 0, vit.embed_dim)
        positions = _positions(vit)
        # A class or register token's position is a constant: folded in here.
        num_prefix = tokens.shape[1]
        self.prefix = nn.Parameter((tokens + positions[:, :num_prefix]).detach().clone())
        self.positions = nn.Parameter(positions[:, num_prefix:].detach().clone())

    def forward(self, image: Tensor) -> Tensor:
        """``(B, band, crop, crop)`` to ``(B, prefix + patch, channel)``."""
        patches = self.patch_embed(image) + self.positions
        prefix = self.prefix.expand(len(patches), -1, -1)
        tokens: Tensor = self.norm_pre(torch.cat([prefix, patches], dim=1))
        return tokens


def _positions(vit: VisionTransformer) -> Tensor:
    """Position embedding ``(1, prefix + patch, channel)``; zeros where there is none."""
    patches = vit.patch_embed.num_patches
    whole = torch.zeros(1, vit.num_prefix_tokens + patches, vit.embed_dim)
    if vit.pos_embed is not None:
        whole[:, -vit.pos_embed.shape[1] :] = vit.pos_embed.detach()
    return whole


class ViTRelayBackbone(RelayBackbone):
    """Both branches of a Vision Transformer, sharing every block.

    As in the authors' code the final norm is left out: the head reads the last
    block's tokens.
    """

    def __init__(self, config: RelayConfig, vit: VisionTransformer) -> None:
        if not all(type(block) is Block for block in vit.blocks):
            raise UserError(
                f"Backbone {config.backbone} has blocks of another kind than a plain ViT; "
                "choose a vit_* backbone with plain blocks."
            )
        super().__init__(config, PatchTokens(vit), PatchTokens(vit), vit.embed_dim)
        self.channels = vit.embed_dim
        self.stride = vit.patch_embed.patch_size[0]
        self.grid: tuple[int, int] = vit.patch_embed.grid_size
        self.attention_strides = (self.stride,) * len(vit.blocks)
        self.blocks = vit.blocks

    def run(self, tokens: Tokens, record: bool) -> Tokens:
        """Take ``(B, prefix + patch, channel)`` tokens through all blocks."""
        blocks = [partial(run_block, cast(Block, block), self.grid) for block in self.blocks]
        return run_blocks(blocks, tokens, self.exchange, record)

    def to_map(self, tokens: Tensor) -> Tensor:
        """``(B, prefix + patch, channel)`` to ``(B, channel, rows, cols)``."""
        rows, cols = self.grid
        return torch.unflatten(tokens[:, -rows * cols :].mT, 2, (rows, cols))


def run_block(
    block: Block, grid: tuple[int, int], tokens: Tensor, relay: Tensor, record: bool
) -> BlockResult:
    """Join, run one transformer block, part.

    Parameters
    ----------
    tokens
        ``(B, prefix + patch, channel)``.
    relay
        ``(B, relay token, channel)``; placed before the branch's tokens.
    """
    joined = torch.cat([relay, tokens], dim=1)
    count = relay.shape[1]
    if not record:
        joined = block(joined)
        return BlockResult(joined[:, count:], joined[:, :count], None)
    mixed, seen = _attend(cast(Attention, block.attn), block.norm1(joined), count)
    joined = joined + block.drop_path1(block.ls1(mixed))
    joined = joined + block.drop_path2(block.ls2(block.mlp(block.norm2(joined))))
    return BlockResult(joined[:, count:], joined[:, :count], _on_grid(seen, grid))


def _attend(attn: Attention, x: Tensor, count: int) -> tuple[Tensor, RecordedAttention]:
    """Run timm's ``Attention.forward``, recording the first ``count`` tokens."""
    qkv = torch.unflatten(attn.qkv(x), 2, (3, attn.num_heads, attn.head_dim)).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.unbind(0)
    seen = attend_recording(attn.q_norm(q), attn.k_norm(k), v, slice(0, count), attn.scale)
    mixed = attn.norm(seen.mixed.transpose(1, 2).flatten(2))
    if attn.gate is not None:
        mixed = mixed * attn.gate(x).sigmoid()
    return attn.proj_drop(attn.proj(mixed)), seen


def _on_grid(seen: RecordedAttention, grid: tuple[int, int]) -> BlockAttention:
    patches = grid[0] * grid[1]
    rows = torch.unflatten(seen.rows[..., -patches:], 3, grid)
    columns = torch.unflatten(seen.columns[:, :, -patches:].mT, 3, grid)
    return BlockAttention(rows, columns)
