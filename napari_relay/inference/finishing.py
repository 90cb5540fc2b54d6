"""From the crops over a tile to what is written of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.geometry import TileGrid
from napari_relay.inference.blending import Index, blend_tile, classify, entropy, to_bytes
from napari_relay.inference.forward import CropResult
from napari_relay.inference.tile import PredictedTile
from relay_tokens import IGNORE_INDEX


class TileFinisher:
    """Blends crops to tiles and measures how sure they are.

    Parameters
    ----------
    grid
        The grid the tiles belong to.
    weight
        :func:`~napari_relay.inference.blending.weight_window`.
    num_classes
        Channels that are classes; one more is the scales' disagreement.
    keep_probabilities
        Whether the tiles get the probability of every class.
    """

    def __init__(
        self, grid: TileGrid, weight: Tensor, num_classes: int, keep_probabilities: bool
    ) -> None:
        self._grid = grid
        self._weight = weight
        self._num_classes = num_classes
        self._keep_probabilities = keep_probabilities

    @torch.inference_mode()
    def finish(self, position: Index, crops: Mapping[Index, CropResult]) -> PredictedTile:
        """Blend one tile.

        Parameters
        ----------
        position
            Row and column in the tile grid.
        crops
            :meth:`TilePlan.crops_over`.
        """
        weighted = {crop: result.weighted for crop, result in crops.items()}
        blended = blend_tile(self._grid, position, weighted, self._weight)
        no_data = ~own_area(self._grid, position, crops[position].valid)
        labels, confidence, uncertainty, *rest = self._maps(blended)
        if no_data.any():
            labels[no_data] = IGNORE_INDEX
            for part in (confidence, uncertainty, *rest):
                part[no_data] = 0
        return PredictedTile(
            position,
            labels,
            confidence,
            uncertainty,
            rest[0] if rest else None,
            self._probabilities(blended, no_data),
            crops[position].attention,
        )

    def _maps(self, blended: Tensor) -> list[NDArray[np.uint8]]:
        """Labels, confidence, entropy and, if there is a channel for it, disagreement."""
        soft, rest = blended[: self._num_classes], blended[self._num_classes :]
        maps = [*classify(soft), to_bytes(entropy(soft)), *(to_bytes(part) for part in rest)]
        return list(torch.stack(maps).cpu().numpy())

    def _probabilities(
        self, blended: Tensor, no_data: NDArray[np.bool_]
    ) -> NDArray[np.uint8] | None:
        if not self._keep_probabilities:
            return None
        scaled = (blended[: self._num_classes] * 255).round_().clamp_(0, 255)
        kept: NDArray[np.uint8] = scaled.to(torch.uint8).cpu().numpy()
        if no_data.any():
            kept[:, no_data] = 0
        return kept


def own_area(grid: TileGrid, position: Index, crop: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The part of a ``(crop, crop)`` array that is the tile's own."""
    tile = grid.tile(*position)
    rows, cols = slice(grid.halo, grid.halo + tile.height), slice(grid.halo, grid.halo + tile.width)
    return crop[rows, cols]
