"""A level that is being built, or was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.block_record import BlockRecord
from napari_relay.images.cache_room import InUse
from napari_relay.images.damage import vanished
from napari_relay.images.levels_plan import BuiltLevel
from napari_relay.images.ome_zarr import ZarrLevel


@dataclass(frozen=True, eq=False)
class BuiltArray:
    """A built level ``(y, x, band)``; where it is not built yet, it has no data."""

    stored: ZarrLevel
    """The level on disk."""
    level: BuiltLevel
    """Which level it is."""
    chain: int
    """Index of its chain in the record."""
    record: BlockRecord
    """What is built."""
    in_use: InUse
    """Keeps the folder from being removed to make room."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        return self.level.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type of the pixels."""
        return self.stored.dtype

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns that are compressed together."""
        return self.stored.chunk

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices.

        Raises
        ------
        UserError
            When the folder was deleted meanwhile, or is damaged.
        """
        pixels = self.stored[key]
        if not self.stored.path.is_dir():
            raise vanished(self.stored.path)
        return pixels

    def built(self, rows: slice, cols: slice) -> NDArray[np.bool_] | None:
        """Which pixels ``(rows, cols)`` of two slices are there; None for all."""
        if self.record.is_complete:
            return None
        chain = self.record.chains[self.chain]
        down, across = (
            np.arange(part.start, part.stop) * (self.level.factor // chain.root) // side
            for part, side in zip((rows, cols), chain.block, strict=True)
        )
        finished = self.record.built(self.chain, down, across)
        return None if finished.all() else finished

    def lost(self, rows: slice, cols: slice) -> NDArray[np.bool_] | None:
        """Which of them the file could not give, as it was damaged there; None for none."""
        asked = Window(rows.start, cols.start, rows.stop - rows.start, cols.stop - cols.start)
        found = self.record.damaged_in(Window(*(self.level.factor * edge for edge in asked)))
        if not found:
            return None
        lost = np.zeros((asked.height, asked.width), bool)
        for window in found:
            lost[_at_level(window, self.level.factor, asked)] = True
        return lost


def _at_level(window: Window, factor: int, asked: Window) -> tuple[slice, slice]:
    """Pixels of a level that a level-0 window touches, counted from the start of those asked."""
    top, left = window.y0 // factor - asked.y0, window.x0 // factor - asked.x0
    bottom, right = -(-window.y1 // factor) - asked.y0, -(-window.x1 // factor) - asked.x0
    return slice(max(top, 0), max(bottom, 0)), slice(max(left, 0), max(right, 0))
