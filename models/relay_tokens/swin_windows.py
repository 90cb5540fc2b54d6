"""The cut of a patch grid into attention windows."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from timm.models.swin_transformer import SwinTransformerBlock
from timm.models.swin_transformer_v2 import (
    SwinTransformerV2Block,
    window_partition,
    window_reverse,
)
from torch import Tensor
from torch.nn import functional as F  # noqa: N812  (torch's own custom)


class AttentionWindows(NamedTuple):
    """The attention windows of one block; a grid they do not divide is padded."""

    size: tuple[int, int]
    """Rows and columns of an attention window, in patches."""
    shift: tuple[int, int]
    """Patches that the grid is rolled up and left by before the cut."""
    grid: tuple[int, int]
    """Rows and columns of the patch grid."""

    @classmethod
    def of(
        cls, block: SwinTransformerBlock | SwinTransformerV2Block, tokens: Tensor
    ) -> AttentionWindows:
        """Cut ``(B, rows, cols, channel)`` tokens as ``block`` does."""
        return cls(block.window_size, block.shift_size, (tokens.shape[1], tokens.shape[2]))

    @property
    def area(self) -> int:
        """Patches in an attention window."""
        return self.size[0] * self.size[1]

    @property
    def number(self) -> int:
        """Attention windows on the grid."""
        return self.padded[0] * self.padded[1] // self.area

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
        return torch.unflatten(windows.flatten(1, 2), 0, (tokens.shape[0], -1))

    def merge(self, windows: Tensor) -> Tensor:
        """Undo :meth:`split`."""
        windows = windows.flatten(0, 1).unflatten(1, self.size)
        tokens = window_reverse(windows, self.size, self.padded)
        tokens = tokens[:, : self.grid[0], : self.grid[1]]
        return torch.roll(tokens, self.shift, (1, 2)) if any(self.shift) else tokens
