"""Which tiles a run has to predict, and which it leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from napari_relay.geometry import TileGrid
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.glass import can_show_glass, glass_tiles
from napari_relay.inference.options import PredictOptions
from napari_relay.inference.selection import Area, TileMap, chosen_tiles


class TileRecord(Protocol):
    """What is known of the tiles of a store."""

    @property
    def grid(self) -> TileGrid:
        """The tile grid."""

    @property
    def finished(self) -> TileMap:
        """Tiles that are predicted."""

    @property
    def skipped(self) -> TileMap:
        """Tiles that were left out as background."""


@dataclass(frozen=True, eq=False)
class Todo:
    """The tiles of one run."""

    wanted: TileMap
    """Tiles that were asked for."""
    missing: TileMap
    """Those of them that are neither predicted nor rightly skipped."""
    glass: TileMap
    """Those of the missing ones that are to be skipped as glass."""


def find_todo(
    image: PyramidImage,
    record: TileRecord,
    areas: Sequence[Area] | None,
    options: PredictOptions,
) -> Todo:
    """Compare what is asked for with what is done.

    What an earlier run skipped as glass is missing when this one shall not skip it.

    Raises
    ------
    ValueError
        When an area is neither a window nor the corners of a polygon.
    """
    wanted = chosen_tiles(record.grid, areas)
    glass = _find_glass(image, record, wanted & ~record.finished, options)
    skipped = record.skipped & (options.skip_glass | ~glass)
    missing = wanted & ~record.finished & ~skipped
    return Todo(wanted, missing, missing & glass & options.skip_glass)


def _find_glass(
    image: PyramidImage, record: TileRecord, unfinished: TileMap, options: PredictOptions
) -> TileMap:
    """Tiles of glass, where they matter: to this run, or to what an earlier one skipped."""
    matters = unfinished if options.skip_glass else unfinished & record.skipped
    if matters.any() and can_show_glass(image):
        return glass_tiles(image, record.grid, matters)
    return np.zeros(record.grid.shape, dtype=bool)
