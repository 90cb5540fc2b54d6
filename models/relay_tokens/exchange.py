"""How relay tokens travel through the blocks of both branches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor

from relay_tokens.config import Exchange
from relay_tokens.output import BranchAttention, RelayAttention


class BlockAttention(NamedTuple):
    """Recorded attention of one block in one branch."""

    relay_to_patch: Tensor
    """``(B, head, relay token, rows, cols)`` in [0, 1]."""
    patch_to_relay: Tensor
    """``(B, head, relay token, rows, cols)`` in [0, 1]."""
    windows: int = 1
    """Attention windows over which the relay tokens' copies are averaged."""


class BlockResult(NamedTuple):
    """What a block makes of one branch's tokens and the relay tokens."""

    tokens: Tensor
    """The branch's tokens, in the layout they came in."""
    relay: Tensor
    """``(B, relay token, channel)``."""
    attention: BlockAttention | None
    """None unless recorded."""


class SharedBlock(Protocol):
    """One transformer block of the backbone, applied to one branch at a time."""

    def __call__(self, tokens: Tensor, relay: Tensor, record: bool, /) -> BlockResult:
        """Join the relay tokens to a branch's tokens, run the block, part them."""
        ...


@dataclass(frozen=True)
class Tokens:
    """All tokens between two blocks, and the attention recorded so far."""

    local: Tensor
    """Tokens of the local branch."""
    global_: Tensor | None
    """Tokens of the global branch; None in a single-scale model."""
    relay: Tensor
    """``(B, relay token, channel)``."""
    seen_local: tuple[BlockAttention, ...] = ()
    """Attention of each block passed, in the local branch; empty unless recorded."""
    seen_global: tuple[BlockAttention, ...] = ()
    """Attention of each block passed, in the global branch; empty unless recorded."""
    global_reading: bool = True
    """False: what the relay tokens read in the global branch is dropped."""

    def attention(self, exchange: Exchange) -> RelayAttention | None:
        """All recorded attention; None where nothing was recorded."""
        if not self.seen_local:
            return None
        return RelayAttention(_branch(self.seen_local), _branch(self.seen_global), exchange)


def run_blocks(
    blocks: Iterable[SharedBlock], tokens: Tokens, exchange: Exchange, record: bool
) -> Tokens:
    """Take both branches through the blocks, the relay tokens passing between them.

    Parameters
    ----------
    blocks
        First to last. Both branches share them.
    tokens
        Tokens of both branches and the relay tokens, before the first block.
    exchange
        ``"sequential"``: in each block the relay tokens read the global branch,
        then the local one. ``"mean"``: both branches start from the same relay
        tokens and the two results are averaged (the authors' code).
    record
        Whether to keep the attention to and from the relay tokens.
    """
    for block in blocks:
        tokens = _run_block(block, tokens, exchange, record)
    return tokens


def _run_block(block: SharedBlock, tokens: Tokens, exchange: Exchange, record: bool) -> Tokens:
    if tokens.global_ is None:
        local = block(tokens.local, tokens.relay, record)
        return Tokens(local.tokens, None, local.relay, _add(tokens.seen_local, local))
    wide = block(tokens.global_, tokens.relay, record)
    follows = exchange == "sequential" and tokens.global_reading
    local = block(tokens.local, wide.relay if follows else tokens.relay, record)
    averages = exchange == "mean" and tokens.global_reading
    return Tokens(
        local.tokens,
        wide.tokens,
        (local.relay + wide.relay) / 2 if averages else local.relay,
        _add(tokens.seen_local, local),
        _add(tokens.seen_global, wide),
        tokens.global_reading,
    )


def _add(seen: tuple[BlockAttention, ...], block: BlockResult) -> tuple[BlockAttention, ...]:
    return seen if block.attention is None else (*seen, block.attention)


def _branch(blocks: Sequence[BlockAttention]) -> BranchAttention:
    return BranchAttention(
        tuple(b.relay_to_patch for b in blocks),
        tuple(b.patch_to_relay for b in blocks),
        tuple(b.windows for b in blocks),
    )
