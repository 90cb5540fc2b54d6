"""Attention cells read from an array of a store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.inference.attention_arrays import AttentionArrays
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.inference.chunks import StoredArray


@dataclass(frozen=True)
class CellReader:
    """Reads the chosen attention, averaged over blocks and heads.

    Raises
    ------
    UserError
        When the store keeps no such block, relay token or head.
    """

    arrays: AttentionArrays
    """What is read."""
    choice: AttentionChoice
    """What is wanted."""
    each_token: bool = False
    """Whether every relay token is read, whatever the choice says."""

    def __post_init__(self) -> None:
        choice = self.choice
        self.arrays.layout.require(choice.block, choice.token, choice.head)

    @property
    def depth(self) -> int:
        """Maps that are read at once: one, or one a relay token."""
        return self.arrays.layout.num_tokens if self.each_token else 1

    @property
    def weights(self) -> dict[int, int]:
        """How many of the chosen blocks have each patch stride."""
        layout = self.arrays.layout
        chosen = layout.members(self.choice.block)
        counts = {stride: len(set(chosen) & set(m)) for stride, m in layout.groups.items()}
        return {stride: count for stride, count in counts.items() if count}

    def read(
        self, array: StoredArray, stride: int, rows: slice, cols: slice
    ) -> NDArray[np.float32]:
        """Mean over the chosen blocks of a patch stride, ``(depth, rows, cols)``."""
        layout, choice = self.arrays.layout, self.choice
        blocks: list[int | None] = [None]  # the mean over all is kept too
        if choice.block is not None:
            blocks = [b for b in layout.members(choice.block) if b in layout.groups[stride]]
        parts = [layout.channels(stride, choice.direction, block) for block in blocks]
        total = sum(self._one(array[part, rows, cols], stride) for part in parts)
        return np.asarray(total / np.float32(len(parts)))

    def _one(self, found: NDArray[np.float16], stride: int) -> NDArray[np.float32]:
        """Mean over heads, and over relay tokens where not each is wanted."""
        layout, head, token = self.arrays.layout, self.choice.head, self.choice.token
        sides = found.shape[1:]
        maps = found.reshape(layout.head_count(stride), layout.num_tokens, *sides)
        if head is not None:
            maps = maps[head : head + 1]
        if not self.each_token:
            maps = maps if token is None else maps[:, token : token + 1]
            maps = maps.reshape(-1, 1, *sides)
        total = np.zeros((self.depth, *sides), dtype=np.float32)
        for one in maps:
            total += one
        total /= np.float32(len(maps))
        return total
