"""From a plan to tiles that can be blended: read, batch, forward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.crops import CropPair, read_crop_pair
from napari_relay.inference.finishing import TileFinisher, own_area
from napari_relay.inference.forward import CropResult, Forwarder
from napari_relay.inference.options import PredictOptions
from napari_relay.inference.plan import Index, TilePlan
from napari_relay.inference.reading import ReadAhead
from napari_relay.inference.tile import PredictedTile
from napari_relay.inference.tile_sink import TileSink
from relay_tokens import Checkpoint

_BATCHES_AHEAD = 3
_TILES_A_CALL = 16


class ReadyTile(NamedTuple):
    """A tile that can be blended."""

    position: Index
    """Row and column in the tile grid."""
    crops: Mapping[Index, CropResult]
    """The crops over it that have data."""


class TilePipeline:
    """Reader threads ahead of the model, which runs in the caller's thread.

    Parameters
    ----------
    checkpoint, image, store, options
        As for :func:`~napari_relay.inference.prediction.predict`.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        image: PyramidImage,
        store: TileSink,
        options: PredictOptions,
    ) -> None:
        self._checkpoint, self._image, self._grid = checkpoint, image, store.grid
        self._memory = options.memory
        self._forward = Forwarder(checkpoint.model, store.header, options)
        classes = checkpoint.model.config.num_classes
        weight, keep = self._forward.weight, store.has_probabilities
        self._finisher = TileFinisher(store.grid, weight, classes, keep)
        self._reader = ReadAhead(self._read, options.reader_threads)
        self._without_data: list[Index] = []

    @property
    def capacity(self) -> int:
        """Crops for a plan to keep: what fits into memory, and never fewer than a tile needs."""
        config = self._checkpoint.model.config
        channels = config.num_classes + (not config.is_single_scale)
        size = channels * config.crop_size**2 * np.dtype(np.float32).itemsize
        return max(self._memory // size, 16 + (_BATCHES_AHEAD + 1) * self._forward.batch_size)

    def forward_batch(self, plan: TilePlan) -> None:
        """Run the model on the next crops and give them to the plan."""
        batch = self._next_batch(plan)
        for crop, result in zip(batch, self._forward.run(list(batch.values())), strict=True):
            plan.add(crop, result)

    def _next_batch(self, plan: TilePlan) -> dict[Index, CropPair]:
        """A full batch of the crops that the plan wants next, or what is left of them."""
        batch: dict[Index, CropPair] = {}
        while len(batch) < self._forward.batch_size:
            self._ask(plan, batch)
            if not self._reader.underway:
                break
            crop, pair = self._reader.take()
            if self._is_worth(plan, crop, pair):
                batch[crop] = pair
        return batch

    def _ask(self, plan: TilePlan, batch: dict[Index, CropPair]) -> None:
        """Have crops read for some batches ahead, a batch at a time."""
        underway, size = self._reader.underway, self._forward.batch_size
        if len(underway) <= (_BATCHES_AHEAD - 1) * size:
            room = _BATCHES_AHEAD * size - len(underway)
            self._reader.ask(plan.wanted(room, {*underway, *batch}))

    def _read(self, crop: Index) -> CropPair:
        window = self._grid.crop(*crop)
        config = self._checkpoint.model.config
        return read_crop_pair(self._image, window, config, self._checkpoint.metadata)

    def _is_worth(self, plan: TilePlan, crop: Index, pair: CropPair) -> bool:
        """Whether a crop has data and a tile needs it; takes note of what has none."""
        if plan.is_missing(crop) and not own_area(self._grid, crop, pair.valid).any():
            plan.remove(crop)
            self._without_data.append(crop)
        if not pair.valid.any():
            plan.add_blank(crop)
            return False
        return plan.is_needed(crop)

    def take_ready(self, plan: TilePlan) -> list[ReadyTile]:
        """The next tiles whose crops are all there; at most 16."""
        tiles: list[ReadyTile] = []
        while len(tiles) < _TILES_A_CALL and plan.is_ready:
            position = plan.front
            assert position is not None
            tiles.append(ReadyTile(position, plan.crops_over(position)))
            plan.remove(position)
        return tiles

    def finish(self, tile: ReadyTile) -> PredictedTile:
        """Blend a tile; may be called in another thread."""
        return self._finisher.finish(tile.position, tile.crops)

    def take_without_data(self) -> list[Index]:
        """Tiles that were found to have no data since the last call."""
        found, self._without_data = self._without_data, []
        return found

    def take_notices(self) -> tuple[str, ...]:
        """What a person should be told since the last call."""
        return self._forward.take_notices()

    def close(self) -> None:
        """Let the running reads end."""
        self._reader.close()
