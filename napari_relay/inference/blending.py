"""How overlapping crops are combined into tiles without seams."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from napari_relay.geometry import TileGrid, Window


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
    grid: TileGrid,
    index: tuple[int, int],
    weighted: Mapping[tuple[int, int], Tensor],
    weight: Tensor,
) -> Tensor:
    """Class probabilities of one tile from all the crops over it.

    The crops are summed in the grid's own order, so the result does not depend
    on the order in which they were computed.

    Parameters
    ----------
    weighted
        For each of ``grid.neighbours(*index)`` its softmax times ``weight``,
        ``(class, crop, crop)``.
    weight
        :func:`weight_window`.

    Returns
    -------
    Tensor
        ``(class, rows, cols)`` over ``grid.tile(*index)``; sums to 1 over class.
    """
    tile = grid.tile(*index)
    shape = (weighted[index].shape[0], tile.height, tile.width)
    total, share = weight.new_zeros(shape), weight.new_zeros(shape[1:])
    for other in grid.neighbours(*index):
        crop = grid.crop(*other)
        common = tile.intersection(crop)
        here, there = _relative(common, tile), _relative(common, crop)
        total[:, *here] += weighted[other][:, *there]
        share[here] += weight[there]
    return total / share


def _relative(window: Window, frame: Window) -> tuple[slice, slice]:
    return window._replace(y0=window.y0 - frame.y0, x0=window.x0 - frame.x0).slices


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
    confidence = (highest * 255).round().clamp(1, 255)
    return label.to(torch.uint8), confidence.to(torch.uint8)
