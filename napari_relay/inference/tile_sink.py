"""Where a run puts its tiles: a store, or a worker's part of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from napari_relay.inference.header import StoreHeader
from napari_relay.inference.tile import PredictedTile
from napari_relay.inference.todo import TileRecord


class TileSink(TileRecord, Protocol):
    """Takes what is predicted; a :class:`~napari_relay.inference.store.PredictionStore` is one."""

    @property
    def header(self) -> StoreHeader:
        """Of which image, by which model and how it is predicted."""

    @property
    def has_probabilities(self) -> bool:
        """Whether the probability of every class is kept."""

    def write(self, tiles: Sequence[PredictedTile]) -> None:
        """Write tiles."""

    def mark_skipped(self, positions: Sequence[tuple[int, int]]) -> None:
        """Note tiles that are left out as background."""

    def flush_coarse(self) -> None:
        """Write what need not be written with every tile."""
