"""A label or confidence map with its own pyramid, kept up to date tile by tile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.inference.chunks import COMPRESSOR, ChunkWriter

CHUNK = 512
"""Side of a chunk, in pixels."""
_COARSEST = 1024
_IN_MEMORY = 4096


def padded_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of level 0: the image's, up to where every level halves exactly."""
    step: int = 2 ** (_level_count(shape) - 1)
    return math.ceil(shape[0] / step) * step, math.ceil(shape[1] / step) * step


def _level_count(shape: tuple[int, int]) -> int:
    """At least two: napari shows one level as another kind of layer."""
    return max(math.ceil(math.log2(max(shape) / _COARSEST)), 1) + 1


def create_levels(group: zarr.Group, name: str, shape: tuple[int, int], fill: int) -> None:
    """Make the empty arrays ``name/0 ... n`` of an image with ``shape`` rows and columns."""
    folder = group.create_group(name)
    height, width = padded_shape(shape)
    for level in range(_level_count(shape)):
        folder.create_array(
            str(level),
            shape=(height >> level, width >> level),
            chunks=(min(CHUNK, height >> level), min(CHUNK, width >> level)),
            dtype="uint8",
            fill_value=fill,
            compressors=COMPRESSOR,
            dimension_names=("y", "x"),
        )


class MaskPyramid:
    """``uint8`` levels, each half as wide as the one before.

    Level ``k`` holds every ``2**k``-th pixel of level 0. Levels up to 4096 px
    a side are arrays in memory, changed in place; finer ones are read from
    disk. The first level in memory is on disk after :meth:`flush`; the ones
    above it follow from it and are written by :meth:`flush_coarse`.
    """

    def __init__(self, folder: zarr.Group) -> None:
        count = len(list(folder.array_keys()))
        self._arrays = [_array(folder, str(level)) for level in range(count)]
        self._anchor = next(
            k for k, array in enumerate(self._arrays) if max(array.shape) <= _IN_MEMORY
        )
        self._writers = [ChunkWriter(array) for array in self._arrays[: self._anchor + 1]]
        self._memory = [np.asarray(self._arrays[self._anchor][:])]
        for _ in self._arrays[self._anchor + 1 :]:
            self._memory.append(np.ascontiguousarray(self._memory[-1][::2, ::2]))

    @property
    def levels(self) -> tuple[zarr.Array[Any] | NDArray[np.uint8], ...]:
        """``(y, x)`` arrays from full resolution to coarsest, padded at the end."""
        return (*self._arrays[: self._anchor], *self._memory)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Level-0 values of a window inside the padded shape."""
        return np.asarray(self.levels[0][window.slices])

    def write(self, tile: Window, values: NDArray[np.uint8]) -> None:
        """Put a tile ``(rows, cols)`` into every level."""
        for level in range(len(self._arrays)):
            step = 2**level
            y, x = -(-tile.y0 // step), -(-tile.x0 // step)
            part = values[y * step - tile.y0 :: step, x * step - tile.x0 :: step]
            if part.size:
                self._put(level, y, x, part)

    def _put(self, level: int, y: int, x: int, part: NDArray[np.uint8]) -> None:
        if level <= self._anchor:
            self._writers[level].write(y, x, part)
        if level >= self._anchor:
            memory = self._memory[level - self._anchor]
            memory[y : y + part.shape[0], x : x + part.shape[1]] = part

    def flush(self) -> None:
        """Write the changed chunks of the levels that others cannot be made from."""
        for writer in self._writers:
            writer.flush()

    def flush_coarse(self) -> None:
        """Write the coarsest levels, so that other programs see them up to date."""
        for array, memory in zip(self._arrays[self._anchor + 1 :], self._memory[1:], strict=True):
            array[:] = memory


def _array(folder: zarr.Group, name: str) -> zarr.Array[Any]:
    array = folder[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{folder.path}/{name} is not an array")
    return array


def open_arrays(folder: zarr.Group, names: Sequence[str]) -> list[zarr.Array[Any]]:
    """Open arrays of a group by name."""
    return [_array(folder, name) for name in names]
