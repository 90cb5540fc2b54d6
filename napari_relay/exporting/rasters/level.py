"""Levels of a raster, read window by window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window

_PIECE = 2048
"""Side of what is read of an array at once to thin it, in its pixels."""
_COARSEST = 512


class PixelSource(Protocol):
    """An array that is read by slices: numpy, Dask or zarr."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(rows, cols)`` or ``(band, rows, cols)``."""

    def __getitem__(self, key: Any, /) -> Any:
        """Values of a rectangle."""


@dataclass(frozen=True)
class RasterLevel:
    """Every ``step``-th pixel of a part of an array."""

    array: PixelSource
    """``(rows, cols)`` or ``(band, rows, cols)``."""
    shape: tuple[int, int]
    """Rows and columns of the level."""
    origin: tuple[int, int] = (0, 0)
    """Where in the array its first pixel lies."""
    step: int = 1
    """Pixels of the array a pixel of the level."""

    def read(self, window: Window) -> NDArray[Any]:
        """Pixels ``(band, rows, cols)`` of a window inside the level."""
        side = max(_PIECE // self.step, 1)
        if self.step == 1 or max(window.height, window.width) <= side:
            return self._piece(window)
        rows = [
            [
                self._piece(Window(y, x, side, side).intersection(window))
                for x in range(window.x0, window.x1, side)
            ]
            for y in range(window.y0, window.y1, side)
        ]
        return np.block(rows)

    def _piece(self, window: Window) -> NDArray[Any]:
        rows, cols = (
            slice(origin + first * self.step, origin + (last - 1) * self.step + 1, self.step)
            for origin, first, last in (
                (self.origin[0], window.y0, window.y1),
                (self.origin[1], window.x0, window.x1),
            )
        )
        bands = (slice(None),) * (len(self.array.shape) - 2)
        block = np.asarray(self.array[(*bands, rows, cols)])
        return block if bands else block[None]


def halved_levels(arrays: Sequence[PixelSource], window: Window) -> tuple[RasterLevel, ...]:
    """Levels over a window, each with every second pixel of the one before.

    Parameters
    ----------
    arrays
        Full resolution, and what there is of every second pixel of it, of every
        fourth and so on: they are read where the window begins at one of their
        pixels, which spares reading full resolution again.
    window
        Pixels of the first array.

    Returns
    -------
    tuple of RasterLevel
        Down to 512 pixels a side.
    """
    levels = [_halved(arrays, window, 0)]
    while max(levels[-1].shape) > _COARSEST:
        levels.append(_halved(arrays, window, len(levels)))
    return tuple(levels)


def _halved(arrays: Sequence[PixelSource], window: Window, level: int) -> RasterLevel:
    source = min(level, len(arrays) - 1)
    while (window.y0 | window.x0) % 2**source:
        source -= 1
    return RasterLevel(
        arrays[source],
        (-(-window.height >> level), -(-window.width >> level)),
        (window.y0 >> source, window.x0 >> source),
        2 ** (level - source),
    )
