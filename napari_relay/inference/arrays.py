"""All arrays of a prediction store."""

from __future__ import annotations

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.inference.attention_arrays import AttentionArrays, create_attention
from napari_relay.inference.header import StoreHeader
from napari_relay.inference.levels import Channels, TilePyramid, create_levels, open_group
from napari_relay.inference.ome_metadata import (
    describe_labels,
    describe_levels,
    describe_probabilities,
)
from napari_relay.inference.sharding import pixel_sharding
from napari_relay.inference.tile import PredictedTile
from relay_tokens import IGNORE_INDEX

_LABELS = "labels/classes"


def create_arrays(group: zarr.Group, header: StoreHeader) -> None:
    """Make the empty arrays, and describe them to viewers."""
    _create_scores(group, header)
    count = _create(group, header, _LABELS, IGNORE_INDEX)
    describe_levels(group, header.image_name, count, header.placement, "confidence/")
    if header.probabilities:
        channels = Channels(len(header.classes), 1)
        _create(group, header, "probabilities", 0, channels)
    describe_classes(group, header)
    if header.attention is not None:
        create_attention(group, header.attention, header.grid, header.placement)


def describe_classes(group: zarr.Group, header: StoreHeader) -> None:
    """Tell viewers the names and colours of the classes."""
    describe_labels(open_group(group, "labels"), header.classes)
    if header.probabilities:
        describe_probabilities(open_group(group, "probabilities"), header.classes)


def _create_scores(group: zarr.Group, header: StoreHeader) -> None:
    _create(group, header, "confidence", 0)
    _create(group, header, "entropy", 0)
    if header.disagreement:
        _create(group, header, "disagreement", 0)


def _create(
    group: zarr.Group,
    header: StoreHeader,
    path: str,
    fill: int,
    channels: Channels | None = None,
) -> int:
    folder = group.create_group(path)
    shape = header.grid.height, header.grid.width
    sharding = pixel_sharding(header.grid.stride)
    count = create_levels(folder, shape, sharding, fill, channels=channels)
    name = path.rpartition("/")[2]
    describe_levels(folder, name, count, header.placement, channels=channels is not None)
    return count


class StoreArrays:
    """The arrays of a store: what is written of a tile goes to all of them."""

    def __init__(self, group: zarr.Group, header: StoreHeader) -> None:
        self._header = header
        self.labels = TilePyramid(open_group(group, _LABELS))
        self.confidence = TilePyramid(open_group(group, "confidence"))
        self.entropy = TilePyramid(open_group(group, "entropy"))
        self.disagreement: TilePyramid | None = None
        self.probabilities: TilePyramid | None = None
        if header.disagreement:
            self.disagreement = TilePyramid(open_group(group, "disagreement"))
        if header.probabilities:
            folder = open_group(group, "probabilities")
            self.probabilities = TilePyramid(folder, in_memory=False)
        layout = header.attention
        self.attention = None if layout is None else AttentionArrays(group, layout, header.grid)

    @property
    def _pyramids(self) -> list[TilePyramid]:
        kept = self.labels, self.confidence, self.entropy, self.disagreement, self.probabilities
        return [pyramid for pyramid in kept if pyramid is not None]

    @property
    def _parts(self) -> list[TilePyramid | AttentionArrays]:
        return [*self._pyramids, *([self.attention] if self.attention else [])]

    def write(self, tile: PredictedTile) -> None:
        """Put a tile into all arrays; on disk after :meth:`flush`."""
        area = self._header.grid.tile(*tile.position)
        for pyramid, values in self._values(tile):
            pyramid.write(area, values)
        if self.attention is not None and tile.attention is not None:
            self.attention.write(tile.position, tile.attention)

    def write_level0(self, tile: PredictedTile) -> None:
        """Put a tile into the full resolution of all arrays; see :meth:`flush_level0`."""
        area = self._header.grid.tile(*tile.position)
        for pyramid, values in self._values(tile):
            pyramid.write_level0(area, values)
        if self.attention is not None and tile.attention is not None:
            self.attention.write_level0(tile.position, tile.attention)

    def _values(self, tile: PredictedTile) -> list[tuple[TilePyramid, NDArray[np.uint8]]]:
        pairs = (
            (self.labels, tile.labels),
            (self.confidence, tile.confidence),
            (self.entropy, tile.entropy),
            (self.disagreement, tile.disagreement),
            (self.probabilities, tile.probabilities),
        )
        return [(p, values) for p, values in pairs if p is not None and values is not None]

    def reload(self) -> None:
        """Take note of what another process may have written."""
        for part in self._parts:
            part.reload()

    def flush(self) -> None:
        """Write the changed chunks."""
        for part in self._parts:
            part.flush()

    def flush_level0(self) -> None:
        """Write the changed chunks of the full resolution, and keep none in memory."""
        for part in self._parts:
            part.flush_level0()

    def flush_coarse(self) -> None:
        """Write the levels that are otherwise kept in memory."""
        for pyramid in self._pyramids:
            pyramid.flush_coarse()

    def absorb(self, window: Window) -> None:
        """Bring the coarser levels up to date with full resolution, in pixels."""
        for part in self._parts:
            part.absorb(window)
        self.flush()
