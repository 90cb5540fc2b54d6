"""How overlapping crops are combined into tiles without seams."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

import torch
from torch import Tensor

from napari_relay.geometry import TileGrid, Window

Index = tuple[int, int]


def weight_window(grid: TileGrid, device: torch.device | None = None) -> Tensor:
    """Weight of each pixel of a crop, ``(crop, crop)``, in (0, 1].

    Raised-cosine ramps (Hann) over the overlap of ``2 * halo`` pixels on each
    side, taken at pixel centres, so that it is positive everywhere and the
    ramps of two neighbours add up to 1.
    """
    overlap = 2 * grid.halo
    ramp = torch.sin((torch.arange(overlap) + 0.5) * (math.pi / 2 / max(overlap, 1))) ** 2
    line = torch.ones(grid.crop_size)
    line[:overlap] = ramp
    line[grid.crop_size - overlap :] = ramp.flip(0)
    return torch.outer(line, line).to(device)


def blend_tile(
    grid: TileGrid, index: Index, weighted: Mapping[Index, Tensor], weight: Tensor
) -> Tensor:
    """Weighted mean of all the crops over one tile.

    The tile's own crop comes first, the others follow in the grid's order, so the
    result does not depend on the order in which they were computed.

    Parameters
    ----------
    weighted
        For ``index`` and those of ``grid.neighbours(*index)`` that have data, in
        that order: the crop's values times ``weight``, ``(channel, crop, crop)``.
    weight
        :func:`weight_window`.

    Returns
    -------
    Tensor
        ``(channel, rows, cols)`` over ``grid.tile(*index)``.
    """
    tile = grid.tile(*index)
    _, own = _overlap(grid, index, index)
    total = weighted[index][:, *own].clone()
    for other, values in weighted.items():
        if other != index:
            here, there = _overlap(grid, index, other)
            total[:, *here] += values[:, *there]
    steps = tuple((i - index[0], j - index[1]) for i, j in weighted)
    return total.mul_(_inverse_share(grid, tile[2:], steps, weight.device))


def _overlap(
    grid: TileGrid, index: Index, other: Index
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Where tile ``index`` and the crop around ``other`` meet, in the tile and in the crop."""
    tile, crop = grid.tile(*index), grid.crop(*other)
    common = tile.intersection(crop)
    return _relative(common, tile), _relative(common, crop)


def _relative(window: Window, frame: Window) -> tuple[slice, slice]:
    return window._replace(y0=window.y0 - frame.y0, x0=window.x0 - frame.x0).slices


@lru_cache(maxsize=64)
def _inverse_share(
    grid: TileGrid, shape: tuple[int, int], steps: tuple[Index, ...], device: torch.device
) -> Tensor:
    """One over the sum of the weights ``(rows, cols)`` of the crops ``steps`` away from a tile."""
    weight = weight_window(grid, device)
    # A tile in the middle of a larger grid has all neighbours, and the same overlaps.
    inner = TileGrid(3 * grid.stride, 3 * grid.stride, grid.stride, grid.halo)
    share = weight.new_zeros(grid.stride, grid.stride)
    for step in steps:
        here, there = _overlap(inner, (1, 1), (1 + step[0], 1 + step[1]))
        share[here] += weight[there]
    return 1 / share[: shape[0], : shape[1]]


def classify(probabilities: Tensor) -> tuple[Tensor, Tensor]:
    """Label and confidence of each pixel.

    Parameters
    ----------
    probabilities
        ``(class, rows, cols)``.

    Returns
    -------
    tuple
        ``uint8`` ``(rows, cols)``: the most probable class (the first of equals),
        and its probability as ``1 ... 255`` for ``0 ... 1``.
    """
    highest, label = probabilities.max(dim=0)
    return label.to(torch.uint8), to_bytes(highest)


def entropy(probabilities: Tensor) -> Tensor:
    """Shannon's entropy over its largest value, ``−Σ p · log p / log(number of classes)``.

    ``(class, rows, cols)`` to ``(rows, cols)``, 0 (one class is certain) ... 1 (all
    are as probable); 0 where there is only one class. (Shannon, "A Mathematical
    Theory of Communication", 1948.)
    """
    count = len(probabilities)
    if count == 1:
        return torch.zeros_like(probabilities[0])
    # As p goes to 0 so does p · log p; torch.special.entr is several times slower.
    logarithms = probabilities.clamp_min(torch.finfo(torch.float32).tiny).log_()
    return logarithms.mul_(probabilities).sum(dim=0).mul_(-1 / math.log(count)).clamp_(0, 1)


def to_bytes(share: Tensor) -> Tensor:
    """``uint8`` ``1 ... 255`` for ``0 ... 1``: 0 is left for what was not predicted."""
    return (share * 255).round_().clamp_(1, 255).to(torch.uint8)
