"""Relay tokens through a Swin Transformer V2 of timm.

Every attention window gets a copy of the relay tokens, placed after its
patches, without position bias and without shift mask; the copies are averaged
right after the attention, before the norm and the MLP.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import NamedTuple, cast

import torch
from timm.models.swin_transformer_v2 import (
    SwinTransformerV2,
    SwinTransformerV2Block,
    SwinTransformerV2Stage,
    WindowAttention,
    window_partition,
    window_reverse,
)
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from relay_tokens.attention import RecordedAttention, attend_recording
from relay_tokens.backbone import RelayBackbone
from relay_tokens.config import RelayConfig
from relay_tokens.exchange import BlockAttention, BlockResult, SharedBlock, Tokens, run_blocks


class SwinRelayBackbone(RelayBackbone):
    """Both branches of a Swin Transformer V2, sharing every block."""

    def __init__(self, config: RelayConfig, swin: SwinTransformerV2) -> None:
        embeddings = copy.deepcopy(swin.patch_embed), copy.deepcopy(swin.patch_embed)
        super().__init__(config, *embeddings, swin.embed_dim)
        self.channels = swin.num_features
        patch: int = swin.patch_embed.patch_size[0]
        self.stride = patch * 2 ** (len(swin.layers) - 1)
        self.attention_strides = tuple(
            patch * 2**i for i, stage in enumerate(_stages(swin.layers)) for _ in stage.blocks
        )
        self.stages = swin.layers
        has_tokens = self.relay_tokens.shape[1] > 0
        self.relay_downsamples = _relay_downsamples(swin) if has_tokens else nn.ModuleList()
        self.norm = swin.norm

    def run(self, tokens: Tokens, record: bool) -> Tokens:
        """Take ``(B, rows, cols, channel)`` tokens through all stages."""
        for index, stage in enumerate(_stages(self.stages)):
            if index:
                tokens = self._downsample(index, tokens)
            tokens = run_blocks(self._blocks(stage), tokens, self.exchange, record)
        return tokens

    def to_map(self, tokens: Tensor) -> Tensor:
        """``(B, rows, cols, channel)`` to ``(B, channel, rows, cols)``, normed."""
        normed: Tensor = self.norm(tokens)
        return normed.permute(0, 3, 1, 2)

    def _blocks(self, stage: SwinTransformerV2Stage) -> Iterator[SharedBlock]:
        for module in stage.blocks:
            block = cast(SwinTransformerV2Block, module)
            yield partial(run_block, block, position_bias(block, self.relay_tokens.shape[1]))

    def _downsample(self, index: int, tokens: Tokens) -> Tokens:
        """Halve both patch grids, and map the relay tokens to the new width."""
        merge = _stages(self.stages)[index].downsample
        wide = None if tokens.global_ is None else merge(tokens.global_)
        if tokens.relay.shape[1]:
            relay = self.relay_downsamples[index - 1](tokens.relay)
        else:
            # No relay tokens still need the new width, to be joined to patches.
            relay = tokens.relay.new_zeros(len(tokens.relay), 0, merge.out_dim)
        return replace(tokens, local=merge(tokens.local), global_=wide, relay=relay)


def _stages(layers: nn.Module) -> list[SwinTransformerV2Stage]:
    return cast(list[SwinTransformerV2Stage], list(layers.children()))


def _relay_downsamples(swin: SwinTransformerV2) -> nn.ModuleList:
    """One linear layer a downsampling, from the old width to the new one."""
    merges = [stage.downsample for stage in _stages(swin.layers)[1:]]
    return nn.ModuleList(nn.Linear(merge.dim, merge.out_dim) for merge in merges)


def position_bias(block: SwinTransformerV2Block, count: int) -> Tensor:
    """Attention bias of a block: relative position and shift mask, zero for relay tokens.

    Returns
    -------
    Tensor
        ``(1, attention window × head, token, token)``, or ``(1, 1 × head, ...)``
        where all attention windows share it; token = patches, then relay tokens.
    """
    attn: WindowAttention = block.attn
    area = attn.window_size[0] * attn.window_size[1]
    table = attn.cpb_mlp(attn.get_buffer("relative_coords_table")).view(-1, attn.num_heads)
    bias = table[attn.get_buffer("relative_position_index").view(-1)].view(area, area, -1)
    bias = 16 * bias.permute(2, 0, 1).sigmoid()[None]
    if any(block.shift_size):
        bias = bias + block.get_buffer("attn_mask")[:, None]
    return F.pad(bias, (0, count, 0, count))


def run_block(
    block: SwinTransformerV2Block, bias: Tensor, tokens: Tensor, relay: Tensor, record: bool
) -> BlockResult:
    """Run one block on ``(B, rows, cols, channel)`` and ``(B, relay token, channel)``."""
    windows = _Windows.of(block, tokens.shape[1], tokens.shape[2])
    mixed, mixed_relay, seen = _attend(block.attn, windows.split(tokens), relay, bias, record)
    tokens = tokens + block.drop_path1(block.norm1(windows.merge(mixed)))
    tokens = tokens + block.drop_path2(block.norm2(block.mlp(tokens)))
    relay = relay + block.drop_path1(block.norm1(mixed_relay))
    relay = relay + block.drop_path2(block.norm2(block.mlp(relay)))
    kept = None if seen is None else _on_grid(seen, windows, relay.shape[1])
    return BlockResult(tokens, relay, kept)


class _Windows(NamedTuple):
    """The cut of a patch grid into attention windows."""

    size: tuple[int, int]
    shift: tuple[int, int]
    grid: tuple[int, int]

    @classmethod
    def of(cls, block: SwinTransformerV2Block, rows: int, cols: int) -> _Windows:
        return cls(block.window_size, block.shift_size, (rows, cols))

    @property
    def padded(self) -> tuple[int, int]:
        """Grid made up to whole attention windows."""
        rows, cols = (math.ceil(g / s) * s for g, s in zip(self.grid, self.size, strict=True))
        return rows, cols

    def split(self, tokens: Tensor) -> Tensor:
        """``(B, rows, cols, channel)`` to ``(B, attention window, patch, channel)``."""
        if any(self.shift):
            tokens = torch.roll(tokens, (-self.shift[0], -self.shift[1]), (1, 2))
        (rows, cols), (padded_rows, padded_cols) = self.grid, self.padded
        tokens = F.pad(tokens, (0, 0, 0, padded_cols - cols, 0, padded_rows - rows))
        windows: Tensor = window_partition(tokens, self.size)
        return torch.unflatten(windows.flatten(1, 2), 0, (len(tokens), -1))

    def merge(self, windows: Tensor) -> Tensor:
        """Undo :meth:`split`."""
        windows = windows.flatten(0, 1).unflatten(1, self.size)
        tokens = window_reverse(windows, self.size, self.padded)
        tokens = tokens[:, : self.grid[0], : self.grid[1]]
        return torch.roll(tokens, self.shift, (1, 2)) if any(self.shift) else tokens


def _attend(
    attn: WindowAttention, windows: Tensor, relay: Tensor, bias: Tensor, record: bool
) -> tuple[Tensor, Tensor, RecordedAttention | None]:
    """Run timm's ``WindowAttention.forward`` with a copy of the relay tokens a window."""
    count, area = windows.shape[1:3]
    copies = relay[:, None].expand(-1, count, -1, -1)
    joined = torch.cat([windows, copies], dim=2)
    q, k, v = _project(attn, joined)
    bias = bias.expand(count, -1, -1, -1).flatten(0, 1)[None].to(q.dtype)
    seen = None
    if record:
        seen = attend_recording(q, k, v, slice(area, None), scale=1.0, bias=bias)
        mixed = seen.mixed
    else:
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=bias, scale=1.0)
    mixed = mixed.unflatten(1, (count, -1)).transpose(2, 3).flatten(3)
    mixed = attn.proj_drop(attn.proj(mixed))
    return mixed[:, :, :area], mixed[:, :, area:].mean(dim=1), seen


def _project(attn: WindowAttention, joined: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values ``(B, attention window × head, token, channel)``.

    Cosine attention: the queries carry the learned scale (timm's own formula).
    """
    bias = None
    if attn.q_bias is not None:
        bias = torch.cat([attn.q_bias, attn.get_buffer("k_bias"), cast(Tensor, attn.v_bias)])
    qkv = F.linear(joined, attn.qkv.weight, bias).unflatten(3, (3, attn.num_heads, -1))
    q, k, v = qkv.permute(3, 0, 1, 4, 2, 5).unbind(0)
    scale = attn.logit_scale.clamp(max=math.log(100.0)).exp()
    q, k = F.normalize(q, dim=-1) * scale, F.normalize(k, dim=-1)
    return q.to(v.dtype).flatten(1, 2), k.to(v.dtype).flatten(1, 2), v.flatten(1, 2)


def _on_grid(seen: RecordedAttention, windows: _Windows, count: int) -> BlockAttention:
    """Put each attention window's part back in its place on the patch grid."""
    area = windows.size[0] * windows.size[1]
    number = windows.padded[0] * windows.padded[1] // area

    def place(weights: Tensor) -> Tensor:
        """``(B, window × head, relay token, patch)`` to ``(B, head, token, rows, cols)``."""
        split = weights.unflatten(1, (number, -1)).flatten(2, 3).transpose(2, 3)
        merged = windows.merge(split)
        return torch.unflatten(merged.permute(0, 3, 1, 2), 1, (-1, count))

    return BlockAttention(place(seen.rows[..., :area]), place(seen.columns[:, :, :area].mT))
