"""What every two-branch backbone has in common."""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
from torch import Tensor, nn

from relay_tokens.config import RelayConfig
from relay_tokens.exchange import Tokens
from relay_tokens.output import RelayAttention


class Features(NamedTuple):
    """What a backbone makes of a batch of crop pairs."""

    local: Tensor
    """``(B, channel, rows, cols)`` on the last patch grid of the local branch."""
    global_: Tensor | None
    """The same of the global branch; None in a single-scale model."""
    attention: RelayAttention | None
    """None unless recorded."""


class RelayBackbone(nn.Module):
    """Both branches of a transformer, sharing every block.

    Parameters
    ----------
    config
        A single-scale one has no global branch and no relay token.
    local_embedding, global_embedding
        Each branch's own modules, from ``(B, band, crop, crop)`` to tokens.
    width
        Channels of the tokens before the first block.
    """

    channels: int
    """Channels of the tokens after the last block."""
    stride: int
    """Crop pixels a side of a cell of the last patch grid."""
    attention_strides: tuple[int, ...]
    """Crop pixels a side of a cell of each block's patch grid."""

    def __init__(
        self,
        config: RelayConfig,
        local_embedding: nn.Module,
        global_embedding: nn.Module,
        width: int,
    ) -> None:
        super().__init__()
        single = config.is_single_scale
        self.exchange = config.exchange
        self.local_embedding = local_embedding
        self.global_embedding = None if single else global_embedding
        count = 0 if single else config.num_relay_tokens
        self.relay_tokens = nn.Parameter(torch.empty(1, count, width))
        nn.init.trunc_normal_(self.relay_tokens, std=0.02)

    def forward(
        self, local: Tensor, global_: Tensor | None, record: bool, global_reading: bool = True
    ) -> Features:
        """Run both crops, each ``(B, band, crop, crop)``, through all blocks.

        With ``global_reading=False`` the relay tokens keep nothing of what they
        read in the global branch, so that none of it reaches the local one.
        """
        wide = None if self.global_embedding is None else self.global_embedding(global_)
        relay = self.relay_tokens.expand(local.shape[0], -1, -1)
        start = Tokens(self.local_embedding(local), wide, relay, global_reading=global_reading)
        tokens = self.run(start, record)
        global_map = None if tokens.global_ is None else self.to_map(tokens.global_)
        attention = tokens.attention(self.exchange)
        return Features(self.to_map(tokens.local), global_map, attention)

    @abstractmethod
    def run(self, tokens: Tokens, record: bool) -> Tokens:
        """Take all tokens through all blocks."""

    @abstractmethod
    def to_map(self, tokens: Tensor) -> Tensor:
        """Lay one branch's tokens out as ``(B, channel, rows, cols)``."""
