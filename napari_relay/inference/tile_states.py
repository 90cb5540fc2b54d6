"""Which tiles of a store are done."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.inference.chunks import COMPRESSOR
from napari_relay.inference.levels import open_array

MISSING: Final = 0
"""Nothing is known of the tile."""
PREDICTED: Final = 1
"""All of the tile is on disk."""
SKIPPED: Final = 2
"""The tile was left out as background."""

STATES: Final = "tiles"
"""Name of the array."""

_ROWS = 64


def create_states(group: zarr.Group, shape: tuple[int, int]) -> None:
    """Make the array ``tiles``, ``(tile rows, tile columns)`` ``uint8``, all missing."""
    rows, cols = shape
    group.create_array(
        STATES,
        shape=shape,
        chunks=(min(_ROWS, rows), cols),
        dtype="uint8",
        fill_value=MISSING,
        compressors=COMPRESSOR,
    )


class TileStates:
    """One state a tile, in memory and on disk. One thread may change it while others read."""

    def __init__(self, group: zarr.Group) -> None:
        self._array = open_array(group, STATES)
        self._values = np.asarray(self._array[:], dtype=np.uint8)
        self._lock = threading.Lock()

    def reload(self) -> None:
        """Read what another process may have changed."""
        values = np.asarray(self._array[:], dtype=np.uint8)
        with self._lock:
            self._values[:] = values

    def where(self, state: int) -> NDArray[np.bool_]:
        """Map of the tiles in a state, ``(tile rows, tile columns)``."""
        with self._lock:
            return np.equal(self._values, state)

    def set(self, positions: Sequence[tuple[int, int]], state: int) -> None:
        """Change tiles, on disk first. What is predicted stays so."""
        with self._lock:
            changed = self._values.copy()
        for position in positions:
            if changed[position] != PREDICTED:
                changed[position] = state
        for rows in sorted({i // _ROWS for i, _ in positions}):
            part = slice(rows * _ROWS, (rows + 1) * _ROWS)
            self._array[part] = changed[part]
        with self._lock:
            self._values[:] = changed
