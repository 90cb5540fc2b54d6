"""Attention between relay tokens and patches, over the whole image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
import zarr
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.geometry import TileGrid, Window
from napari_relay.inference.chunks import COMPRESSOR, ChunkWriter
from napari_relay.inference.levels import open_arrays
from relay_tokens import BranchAttention, RelayAttention, RelaySegmenter, UserError

Branch = Literal["local", "global"]
Direction = Literal["relay_to_patch", "patch_to_relay"]
DIRECTIONS: tuple[Direction, ...] = get_args(Direction)
BRANCHES: tuple[Branch, ...] = get_args(Branch)

TILES_A_CHUNK = 4
"""Side of an attention chunk, in tiles."""

TileAttention = Mapping[tuple[Branch, int], NDArray[np.float16]]
"""For each branch and patch stride ``(direction, block, relay token, rows, cols)``,
mean over heads: the tile's own area in the local branch, the whole global crop in
the global one."""


@dataclass(frozen=True)
class AttentionLayout:
    """Which attention a store holds, and where its cells lie."""

    strides: tuple[int, ...]
    """Crop pixels a patch cell, for each block."""
    num_tokens: int
    """Number of relay tokens."""
    crop_size: int
    """Side of both crops, in their own pixels."""
    context_factor: int
    """Level-0 pixels a pixel of the global crop."""

    @classmethod
    def of(cls, model: RelaySegmenter, grid: TileGrid) -> AttentionLayout | None:
        """Layout for a model; None when it has no relay tokens.

        Raises
        ------
        UserError
            When tiles would cut through patches.
        """
        config = model.config
        if config.context_factor is None or config.num_relay_tokens == 0:
            return None
        for stride in set(model.attention_strides):
            if grid.halo % stride or grid.stride % stride:
                raise UserError(
                    f"A halo of {grid.halo} px does not lie on the model's {stride}-px patches; "
                    f"choose a multiple of {max(model.attention_strides)} or switch attention off."
                )
        return cls(
            model.attention_strides,
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
        return cls(**{**values, "strides": tuple(values["strides"])})

    @property
    def groups(self) -> dict[int, list[int]]:
        """Blocks that share a patch stride, and so an array."""
        found: dict[int, list[int]] = {}
        for block, stride in enumerate(self.strides):
            found.setdefault(stride, []).append(block)
        return found

    def cells(self, branch: Branch, stride: int, grid: TileGrid) -> int:
        """Cells a side that a tile has in the store."""
        return (grid.stride if branch == "local" else self.crop_size) // stride


def split_attention(
    attention: RelayAttention, layout: AttentionLayout, grid: TileGrid
) -> list[TileAttention]:
    """What a store keeps of a batch's recorded attention, one entry a crop pair."""
    arrays: dict[tuple[Branch, int], NDArray[np.float16]] = {}
    for branch in BRANCHES:
        recorded = attention.local if branch == "local" else attention.global_
        for stride, blocks in layout.groups.items():
            whole = _head_mean(recorded, blocks)
            if branch == "local":
                first, count = grid.halo // stride, grid.stride // stride
                whole = whole[..., first : first + count, first : first + count]
            arrays[branch, stride] = whole.half().cpu().numpy()
    size = len(next(iter(arrays.values())))
    return [{key: array[i] for key, array in arrays.items()} for i in range(size)]


def _head_mean(recorded: BranchAttention, blocks: list[int]) -> Tensor:
    """``(B, direction, block, relay token, rows, cols)``."""
    directions = (recorded.relay_to_patch, recorded.patch_to_relay)
    stacked = [torch.stack([maps[b].mean(1) for b in blocks], 1) for maps in directions]
    return torch.stack(stacked, 1)


class AttentionMap(NamedTuple):
    """One attention map laid over the image."""

    values: NDArray[np.float32]
    """``(rows, cols)``; softmax weights in [0, 1], NaN where nothing is predicted."""
    factor: float
    """Level-0 pixels a cell: the ``scale`` of a napari layer."""
    translate: tuple[float, float]
    """Level-0 ``(row, col)`` of the first cell's middle."""


def create_attention(group: zarr.Group, layout: AttentionLayout, grid: TileGrid) -> None:
    """Make the empty arrays ``attention/<branch>/<stride>``.

    Each is a mosaic ``(direction, block, relay token, tile row * cells,
    tile col * cells)``.
    """
    for branch in BRANCHES:
        folder = group.create_group(f"attention/{branch}")
        for stride, blocks in layout.groups.items():
            cells = layout.cells(branch, stride, grid)
            leading = (len(DIRECTIONS), len(blocks), layout.num_tokens)
            sides = [count * cells for count in grid.shape]
            chunk = [min(TILES_A_CHUNK * cells, side) for side in sides]
            folder.create_array(
                str(stride),
                shape=(*leading, *sides),
                chunks=(*leading, *chunk),
                dtype="float16",
                fill_value=np.nan,
                compressors=COMPRESSOR,
                dimension_names=("direction", "block", "token", "y", "x"),
            )


class AttentionArrays:
    """The attention arrays of a store, for writing tiles and reading maps."""

    def __init__(self, group: zarr.Group, layout: AttentionLayout, grid: TileGrid) -> None:
        self.layout = layout
        self.grid = grid
        keys = [(branch, stride) for branch in BRANCHES for stride in layout.groups]
        names = [f"attention/{branch}/{stride}" for branch, stride in keys]
        self.arrays: dict[tuple[Branch, int], zarr.Array[Any]] = dict(
            zip(keys, open_arrays(group, names), strict=True)
        )
        self._writers = {key: ChunkWriter(array) for key, array in self.arrays.items()}

    def write(self, index: tuple[int, int], attention: TileAttention) -> None:
        """Put the attention of tile ``index``; on disk after :meth:`flush`."""
        for (branch, stride), values in attention.items():
            cells = self.layout.cells(branch, stride, self.grid)
            writer = self._writers[branch, stride]
            writer.write(index[0] * cells, index[1] * cells, values)

    def flush(self) -> None:
        """Write the changed chunks."""
        for writer in self._writers.values():
            writer.flush()

    def blocks(self, block: int | None) -> dict[int, NDArray[np.intp]]:
        """For each patch stride the chosen blocks, as positions in its array."""
        chosen: dict[int, NDArray[np.intp]] = {}
        for stride, members in self.layout.groups.items():
            found = [k for k, member in enumerate(members) if block is None or member == block]
            if found:
                chosen[stride] = np.array(found, dtype=np.intp)
        if not chosen:
            raise ValueError(f"there is no block {block}; there are {len(self.layout.strides)}")
        return chosen

    def tokens(self, token: int | None) -> NDArray[np.intp]:
        """The chosen relay tokens."""
        count = self.layout.num_tokens
        if token is not None and not 0 <= token < count:
            raise ValueError(f"there is no relay token {token}; there are {count}")
        return np.arange(count) if token is None else np.array([token], dtype=np.intp)

    @property
    def image(self) -> Window:
        """The whole image."""
        return Window(0, 0, self.grid.height, self.grid.width)
