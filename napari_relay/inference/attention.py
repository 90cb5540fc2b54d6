"""Which attention between relay tokens and patches a store keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from napari_relay.geometry import TileGrid
from napari_relay.inference.options import PredictOptions
from relay_tokens import BranchAttention, RelayAttention, RelaySegmenter, UserError

Branch = Literal["local", "global"]
Direction = Literal["relay_to_patch", "patch_to_relay"]
Blocks = int | tuple[int, ...] | None
"""One transformer block from 0; the mean over some; None: the mean over all that are kept."""
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
BRANCHES: tuple[Branch, ...] = get_args(Branch)

TileAttention = Mapping[tuple[Branch, int], NDArray[np.float16]]
"""For each branch and patch stride ``(channel, rows, cols)``, the channels as in
:meth:`AttentionLayout.channels`: the tile's own area in the local branch, the
whole global crop in the global one."""


class AttentionMap(NamedTuple):
    """One attention map laid over the image."""

    values: NDArray[np.float32]
    """``(rows, cols)``; softmax weights in [0, 1], NaN where nothing is predicted."""
    factor: float
    """Level-0 pixels a cell: the ``scale`` of a napari layer."""
    translate: tuple[float, float]
    """Level-0 ``(row, col)`` of the first cell's middle."""


class AttentionStack(NamedTuple):
    """The attention maps of several relay tokens, laid over the image alike."""

    values: NDArray[np.floating]
    """``(relay token, rows, cols)``; as in :class:`AttentionMap`."""
    factor: float
    """Level-0 pixels a cell."""
    translate: tuple[float, float]
    """Level-0 ``(row, col)`` of the first cell's middle."""

    def map(self, token: int | None) -> AttentionMap:
        """The map of a relay token; None: their mean."""
        if token is None:
            values = self.values.mean(axis=0, dtype=np.float32)
        else:
            values = self.values[token].astype(np.float32, copy=False)
        return AttentionMap(values, self.factor, self.translate)


@dataclass(frozen=True)
class AttentionLayout:
    """Which attention a store holds, and where its cells lie."""

    strides: tuple[int, ...]
    """Crop pixels a patch cell, for each block of the model."""
    blocks: tuple[int, ...]
    """The blocks that are kept, rising."""
    heads: tuple[int, ...] | None
    """Attention heads of each block of the model; None: their mean is kept."""
    num_tokens: int
    """Number of relay tokens."""
    crop_size: int
    """Side of both crops, in their own pixels."""
    context_factor: int
    """Level-0 pixels a pixel of the global crop."""

    @classmethod
    def of(
        cls, model: RelaySegmenter, grid: TileGrid, options: PredictOptions
    ) -> AttentionLayout | None:
        """Layout for a model; None when it has no relay tokens or none is wished.

        Raises
        ------
        UserError
            When tiles would cut through patches, or there is no such block.
        """
        config = model.config
        if not options.attention or config.context_factor is None or config.num_relay_tokens == 0:
            return None
        strides = model.attention_strides
        blocks = _chosen(options.attention_blocks, len(strides))
        _require_whole_patches(grid, [strides[block] for block in blocks])
        heads = _heads(model) if options.attention_heads == "all" else None
        if heads is not None and len(heads) != len(strides):
            raise UserError(
                f"The attention heads of {config.backbone} cannot be told apart; "
                "choose the mean over heads."
            )
        return cls(
            strides,
            blocks,
            heads,
            config.num_relay_tokens,
            config.crop_size,
            config.context_factor,
        )

    def to_json(self) -> dict[str, Any]:
        """The layout as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> AttentionLayout:
        """Read what :meth:`to_json` wrote."""
        lists = {name: values[name] for name in ("strides", "blocks", "heads")}
        return cls(**{**values, **{n: None if v is None else tuple(v) for n, v in lists.items()}})

    @property
    def groups(self) -> dict[int, list[int]]:
        """Kept blocks that share a patch stride, and so an array."""
        found: dict[int, list[int]] = {}
        for block in self.blocks:
            found.setdefault(self.strides[block], []).append(block)
        return found

    def cells(self, branch: Branch, stride: int, grid: TileGrid) -> int:
        """Cells a side that a tile has in the store."""
        return (grid.stride if branch == "local" else self.crop_size) // stride

    def head_count(self, stride: int) -> int:
        """Head maps that are kept of each block with this stride."""
        return 1 if self.heads is None else self.heads[self.groups[stride][0]]

    def channel_count(self, stride: int) -> int:
        """Length of the channel axis of the arrays with this stride."""
        maps = len(DIRECTIONS) * (len(self.groups[stride]) + 1)
        return maps * self.head_count(stride) * self.num_tokens

    def members(self, block: Blocks) -> tuple[int, ...]:
        """The blocks that are meant; None: all that are kept."""
        if block is None:
            return self.blocks
        return (block,) if isinstance(block, int) else block

    def channels(self, stride: int, direction: Direction, block: int | None) -> slice:
        """Channels ``(head, relay token)``, flattened, of a kept block; None: the blocks' mean.

        The channel axis is ``(direction, block, head, relay token)``, flattened;
        the mean over the kept blocks of this stride follows the last block.
        """
        members, size = self.groups[stride], self.head_count(stride) * self.num_tokens
        place = len(members) if block is None else members.index(block)
        first = DIRECTIONS.index(direction) * (len(members) + 1) + place
        return slice(first * size, (first + 1) * size)

    def require(self, block: Blocks, token: int | None, head: int | None) -> None:
        """Refuse a choice of which nothing is kept.

        Raises
        ------
        UserError
            Saying what there is.
        """
        kept, chosen = ", ".join(map(str, self.blocks)), self.members(block)
        missing = [one for one in chosen if one not in self.blocks]
        if missing or not chosen:
            which = f"block {missing[0]}" if missing else "such range of blocks"
            raise UserError(f"There is no {which} in this prediction; it keeps {kept}.")
        if token is not None and not 0 <= token < self.num_tokens:
            raise UserError(
                f"There is no relay token {token}; the model has 0 to {self.num_tokens - 1}."
            )
        if head is not None:
            self._require_head(chosen, head)

    def head_numbers(self, block: Blocks) -> int:
        """How many heads can be told apart in all the blocks that are meant."""
        if self.heads is None:
            return 0
        return min(self.heads[one] for one in self.members(block))

    def _require_head(self, chosen: tuple[int, ...], head: int) -> None:
        if self.heads is None:
            raise UserError(
                f"There is no head {head} in this prediction; it keeps the mean over heads."
            )
        count = self.head_numbers(chosen)
        if not 0 <= head < count:
            raise UserError(f"There is no head {head}; the heads are 0 to {count - 1}.")


def _chosen(blocks: tuple[int, ...] | None, count: int) -> tuple[int, ...]:
    if blocks is None:
        return tuple(range(count))
    wrong = [block for block in blocks if not -count <= block < count]
    if wrong or not blocks:
        raise UserError(
            f"attention_blocks is {blocks}; the model has the blocks 0 to {count - 1}, "
            f"or -{count} to -1 counted from the end."
        )
    return tuple(sorted({block % count for block in blocks}))


def _require_whole_patches(grid: TileGrid, strides: Sequence[int]) -> None:
    for stride in strides:
        if grid.halo % stride or grid.stride % stride:
            raise UserError(
                f"A halo of {grid.halo} px does not lie on the model's {stride}-px patches; "
                f"choose a multiple of {max(strides)} or switch attention off."
            )


def _heads(model: nn.Module) -> tuple[int, ...]:
    """Attention heads of each block: those of the innermost modules that have any."""
    counts = {m: n for m in model.modules() if isinstance(n := getattr(m, "num_heads", None), int)}
    return tuple(
        count
        for module, count in counts.items()
        if not any(child in counts for child in module.modules() if child is not module)
    )


def split_attention(
    attention: RelayAttention, layout: AttentionLayout, grid: TileGrid
) -> list[TileAttention]:
    """What a store keeps of a batch's recorded attention, one entry a crop pair."""
    arrays: dict[tuple[Branch, int], NDArray[np.float16]] = {}
    for branch in BRANCHES:
        recorded = attention.local if branch == "local" else attention.global_
        for stride, blocks in layout.groups.items():
            whole = _stacked(recorded, blocks, layout.heads is None)
            if branch == "local":
                first, count = grid.halo // stride, grid.stride // stride
                whole = whole[..., first : first + count, first : first + count]
            arrays[branch, stride] = whole.flatten(1, 4).half().cpu().numpy()
    size = len(next(iter(arrays.values())))
    return [{key: array[i] for key, array in arrays.items()} for i in range(size)]


def _stacked(recorded: BranchAttention, blocks: Sequence[int], is_mean: bool) -> Tensor:
    """``(B, direction, block, head, relay token, rows, cols)``; the last block is the mean."""
    directions = []
    for maps in (recorded.relay_to_patch, recorded.patch_to_relay):
        kept = [maps[b].mean(1, keepdim=True) if is_mean else maps[b] for b in blocks]
        stacked = torch.stack(kept, 1)
        directions.append(torch.cat([stacked, stacked.mean(1, keepdim=True)], 1))
    return torch.stack(directions, 1)
