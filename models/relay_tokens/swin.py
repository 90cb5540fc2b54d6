"""Relay tokens through a Swin Transformer (V1 or V2) of timm.

Every attention window gets a copy of the relay tokens, placed after its
patches, without position bias and without shift mask; the copies are averaged
right after the attention, before the norm and the MLP.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import cast

import torch
from timm.layers.patch_embed import PatchEmbed
from timm.models.swin_transformer import SwinTransformer, SwinTransformerStage
from timm.models.swin_transformer_v2 import SwinTransformerV2, SwinTransformerV2Stage
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from relay_tokens.attention import RecordedAttention, attend_recording
from relay_tokens.authors_masks import use_authors_masks
from relay_tokens.backbone import RelayBackbone
from relay_tokens.config import RelayConfig
from relay_tokens.exchange import BlockAttention, BlockResult, SharedBlock, Tokens, run_blocks
from relay_tokens.swin_bias import PositionBiases
from relay_tokens.swin_versions import SwinBlock, version_of
from relay_tokens.swin_windows import AttentionWindows

Swin = SwinTransformer | SwinTransformerV2
Stage = SwinTransformerStage | SwinTransformerV2Stage
WindowSizes = tuple[tuple[int, int], ...]


class SwinRelayBackbone(RelayBackbone):
    """Both branches of a Swin Transformer, sharing every block."""

    def __init__(self, config: RelayConfig, swin: Swin) -> None:
        embeddings = copy.deepcopy(swin.patch_embed), copy.deepcopy(swin.patch_embed)
        super().__init__(config, *embeddings, swin.embed_dim)
        self.channels: int = swin.num_features
        patch = cast(PatchEmbed, swin.patch_embed).patch_size[0]
        self.stride = patch * 2 ** (len(swin.layers) - 1)
        self.attention_strides = tuple(
            patch * 2**i for i, stage in enumerate(_stages(swin.layers)) for _ in stage.blocks
        )
        self.stages = swin.layers
        has_tokens = self.relay_tokens.shape[1] > 0
        self.relay_downsamples = _relay_downsamples(swin) if has_tokens else nn.ModuleList()
        self.norm = swin.norm
        self._biases = PositionBiases()
        if config.exchange == "mean" and isinstance(swin, SwinTransformerV2):
            use_authors_masks(self.stages)  # not in the state dict: set whenever it is built

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

    def _blocks(self, stage: Stage) -> Iterator[SharedBlock]:
        for module in stage.blocks:
            block = cast(SwinBlock, module)
            bias = self._biases.of(block, self.relay_tokens.shape[1])
            yield partial(run_block, block, bias)

    def _downsample(self, index: int, tokens: Tokens) -> Tokens:
        """Halve both patch grids, and map the relay tokens to the new width."""
        merge = _stages(self.stages)[index].downsample
        wide = None if tokens.global_ is None else merge(tokens.global_)
        if tokens.relay.shape[1]:
            relay = self.relay_downsamples[index - 1](tokens.relay)
        else:
            # No relay tokens still need the new width, to be joined to patches.
            relay = tokens.relay.new_zeros(tokens.relay.shape[0], 0, merge.out_dim)
        return replace(tokens, local=merge(tokens.local), global_=wide, relay=relay)


def _stages(layers: nn.Module) -> list[Stage]:
    return cast(list[Stage], list(layers.children()))


def _relay_downsamples(swin: Swin) -> nn.ModuleList:
    """One linear layer a downsampling, from the old width to the new one."""
    merges = [stage.downsample for stage in _stages(swin.layers)[1:]]
    return nn.ModuleList(nn.Linear(merge.dim, merge.out_dim) for merge in merges)


def fitting_windows(swin: Swin) -> WindowSizes:
    """Find for each stage the attention window nearest to its own that divides its patch grid.

    A window of 7 on a grid of 64 would be padded to 70, and on the last grid of
    8 to 14, where most of what it attends to is padding.
    """
    blocks = [cast(SwinBlock, stage.blocks[0]) for stage in _stages(swin.layers)]
    return tuple(
        (_nearest_divisor(rows, grid[0]), _nearest_divisor(cols, grid[1]))
        for (rows, cols), grid in ((b.window_size, _grid(b)) for b in blocks)
    )


def current_windows(swin: Swin) -> WindowSizes:
    """Attention window of each stage, in patches."""
    return tuple(cast(SwinBlock, stage.blocks[0]).window_size for stage in _stages(swin.layers))


def _grid(block: SwinBlock) -> tuple[int, int]:
    return cast(tuple[int, int], block.input_resolution)


def _nearest_divisor(size: int, grid: int) -> int:
    """Divisor of ``grid`` nearest to ``size``; of two, the larger."""
    divisors = [d for d in range(1, grid + 1) if grid % d == 0]
    return min(divisors, key=lambda d: (abs(d - size), -d))


def run_block(
    block: SwinBlock, bias: Tensor, tokens: Tensor, relay: Tensor, record: bool
) -> BlockResult:
    """Run one block on ``(B, rows, cols, channel)`` and ``(B, relay token, channel)``."""
    windows = AttentionWindows.of(block, tokens)
    first = version_of(block).norm_first
    read, read_relay = (block.norm1(tokens), block.norm1(relay)) if first else (tokens, relay)
    mixed, mixed_relay, seen = _attend(block, windows.split(read), read_relay, bias, record)
    kept = None if seen is None else _on_grid(seen, windows, relay.shape[1])
    return BlockResult(
        _add(block, tokens, windows.merge(mixed), first),
        _add(block, relay, mixed_relay, first),
        kept,
    )


def _add(block: SwinBlock, tokens: Tensor, mixed: Tensor, norm_first: bool) -> Tensor:
    """Add to ``tokens`` what they attended to, then what the MLP makes of them."""
    if norm_first:
        tokens = tokens + block.drop_path1(mixed)
        step: Tensor = block.mlp(block.norm2(tokens))
    else:
        tokens = tokens + block.drop_path1(block.norm1(mixed))
        step = block.norm2(block.mlp(tokens))
    added: Tensor = tokens + block.drop_path2(step)
    return added


def _attend(
    block: SwinBlock, windows: Tensor, relay: Tensor, bias: Tensor, record: bool
) -> tuple[Tensor, Tensor, RecordedAttention | None]:
    """Run timm's ``WindowAttention.forward`` with a copy of the relay tokens a window."""
    attn, (count, area) = block.attn, windows.shape[1:3]
    copies = relay[:, None].expand(-1, count, -1, -1)
    joined = torch.cat([windows, copies], dim=2)
    q, k, v = version_of(block).project(attn, joined)
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


def _on_grid(seen: RecordedAttention, windows: AttentionWindows, count: int) -> BlockAttention:
    """Put each attention window's part back in its place on the patch grid."""
    area = windows.area

    def place(weights: Tensor) -> Tensor:
        """``(B, window × head, relay token, patch)`` to ``(B, head, token, rows, cols)``."""
        split = weights.unflatten(1, (windows.number, -1)).flatten(2, 3).transpose(2, 3)
        merged = windows.merge(split)
        return torch.unflatten(merged.permute(0, 3, 1, 2), 1, (-1, count))

    rows, columns = place(seen.rows[..., :area]), place(seen.columns[:, :, :area].mT)
    return BlockAttention(rows, columns, windows.number)
