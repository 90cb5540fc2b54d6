"""The authors' shift masks, where attention windows do not fill a patch grid."""

from __future__ import annotations

from typing import cast

import torch
from timm.models.swin_transformer_v2 import (
    SwinTransformerV2Block,
    SwinTransformerV2Stage,
    window_partition,
)
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  (torch's own custom)


def use_authors_masks(stages: nn.Module) -> None:
    """Give every shifted block of a SwinV2's stages the mask of the authors' code.

    timm numbers the regions of the padded grid; the authors number those of the
    grid and let the padding share the first region's number. On a grid of whole
    attention windows the two are the same.
    """
    for child in stages.children():
        stage = cast(SwinTransformerV2Stage, child)
        for module in stage.blocks:
            block = cast(SwinTransformerV2Block, module)
            if any(block.shift_size):
                grid = cast(tuple[int, int], stage.output_resolution)
                mask = authors_mask(grid, block.window_size, block.shift_size)
                block.get_buffer("attn_mask").copy_(mask)


def authors_mask(grid: tuple[int, int], size: tuple[int, int], shift: tuple[int, int]) -> Tensor:
    """Shift mask of one block.

    Parameters
    ----------
    grid, size, shift
        Rows and columns of the patch grid, of an attention window, of the shift.

    Returns
    -------
    Tensor
        ``(attention window, patch, patch)``: 0 where two patches of a shifted
        attention window may read each other, -100 where not.
    """
    rows, cols = (_bands(g, w, s) for g, w, s in zip(grid, size, shift, strict=True))
    regions = 3.0 * rows[:, None] + cols[None, :]
    padding = [-g % w for g, w in zip(grid, size, strict=True)]
    regions = F.pad(regions, (0, padding[1], 0, padding[0]))
    windows = window_partition(regions[None, :, :, None], size).flatten(1)
    parted = windows[:, :, None] != windows[:, None, :]
    return torch.zeros(parted.shape).masked_fill(parted, -100.0)


def _bands(side: int, window: int, shift: int) -> Tensor:
    """Number the three bands that a shift makes of one side of the grid."""
    bands = torch.zeros(side)
    if shift:
        bands[-window:] = 1
        bands[-shift:] = 2
    return bands
