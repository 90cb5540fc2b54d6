"""Arrays over the image with pyramids of their own, kept up to date tile by tile."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.inference.chunks import COMPRESSOR, ChunkWriter, StoredArray
from napari_relay.inference.sharding import Sharding

_COARSEST = 1024
_IN_MEMORY = 4096

LevelArray = StoredArray | NDArray[np.uint8]
"""One level: on disk, or in memory."""


def padded_shape(shape: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of level 0: the image's, up to where every level halves exactly."""
    step: int = 2 ** (_level_count(shape) - 1)
    return math.ceil(shape[0] / step) * step, math.ceil(shape[1] / step) * step


def _level_count(shape: tuple[int, int]) -> int:
    """At least two: napari shows one level as another kind of layer."""
    return max(math.ceil(math.log2(max(shape) / _COARSEST)), 1) + 1


@dataclass(frozen=True)
class Channels:
    """A leading axis of an array."""

    count: int
    """Length of the axis."""
    chunk: int
    """How many lie in one chunk."""


def create_levels(
    folder: zarr.Group,
    shape: tuple[int, int],
    sharding: Sharding,
    fill: float,
    dtype: str = "uint8",
    channels: Channels | None = None,
) -> int:
    """Make the empty arrays ``0 ... n`` over ``shape`` rows and columns.

    Returns
    -------
    int
        The number of levels.
    """
    height, width = padded_shape(shape)
    count = _level_count(shape)
    for level in range(count):
        sides = height >> level, width >> level
        create_array(folder, str(level), sides, sharding, fill, dtype, channels)
    return count


def create_array(
    folder: zarr.Group,
    name: str,
    sides: tuple[int, int],
    sharding: Sharding,
    fill: float,
    dtype: str = "uint8",
    channels: Channels | None = None,
) -> None:
    """Make an empty array ``(y, x)``, or ``(c, y, x)`` with ``channels``."""
    counts = () if channels is None else (channels.count,)
    chunks = () if channels is None else (channels.chunk,)
    folder.create_array(
        name,
        shape=(*counts, *sides),
        chunks=(*chunks, sharding.chunk, sharding.chunk),
        shards=(*counts, sharding.shard, sharding.shard),
        dtype=dtype,
        fill_value=fill,
        compressors=COMPRESSOR,
        dimension_names=("c", "y", "x")[-len(counts) - 2 :],
    )


class TilePyramid:
    """Levels ``(..., y, x)``, each half as wide as the one before.

    Level ``k`` holds every ``2**k``-th pixel of level 0. Where it is wished,
    levels up to 4096 px a side are arrays in memory, changed in place; finer
    ones are read from disk. The first level in memory is on disk after
    :meth:`flush`; the ones above it follow from it and are written by
    :meth:`flush_coarse`.
    """

    def __init__(self, folder: zarr.Group, in_memory: bool = True) -> None:
        count = len(list(folder.array_keys()))
        self._arrays = [StoredArray(open_array(folder, str(level))) for level in range(count)]
        self._anchor = self._first_small() if in_memory else count
        self._writers = [ChunkWriter(array) for array in self._arrays[: self._anchor + 1]]
        self._memory: list[NDArray[np.uint8]] = []
        if in_memory:
            self._memory = [np.empty(a.shape, np.uint8) for a in self._arrays[self._anchor :]]
        self.reload()

    def reload(self) -> None:
        """Take note of what another process may have written."""
        for writer in self._writers:
            writer.forget()
        for k, memory in enumerate(self._memory):
            finer = self._memory[k - 1][..., ::2, ::2] if k else self._arrays[self._anchor][()]
            memory[...] = finer

    def _first_small(self) -> int:
        return next(k for k, a in enumerate(self._arrays) if max(a.shape) <= _IN_MEMORY)

    @property
    def levels(self) -> tuple[LevelArray, ...]:
        """``(..., y, x)`` arrays from full resolution to coarsest, padded at the end."""
        return (*self._arrays[: self._anchor], *self._memory)

    @property
    def _all_channels(self) -> tuple[slice, ...]:
        return (slice(None),) * (self._arrays[0].ndim - 2)

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Level-0 values of a window inside the padded shape."""
        return np.asarray(self.levels[0][*self._all_channels, *window.slices])

    def write(self, tile: Window, values: NDArray[np.generic]) -> None:
        """Put a tile ``(..., rows, cols)`` into every level."""
        for level in range(len(self._arrays)):
            self._put(level, tile, values, to_disk=level <= self._anchor)

    def write_level0(self, tile: Window, values: NDArray[np.generic]) -> None:
        """Put a tile into level 0 on disk, for another process to :meth:`absorb`."""
        self._writers[0].write(tile.y0, tile.x0, values)

    def absorb(self, window: Window) -> None:
        """Bring all else up to date with what other processes wrote to level 0."""
        self._writers[0].forget()
        values = self._arrays[0][*self._all_channels, *window.slices]
        for level in range(len(self._arrays)):
            self._put(level, window, values, to_disk=0 < level <= self._anchor)

    def _put(self, level: int, area: Window, values: NDArray[np.generic], to_disk: bool) -> None:
        step = 2**level
        y, x = -(-area.y0 // step), -(-area.x0 // step)
        part = values[..., y * step - area.y0 :: step, x * step - area.x0 :: step]
        if not part.size:
            return
        if to_disk:
            self._writers[level].write(y, x, part)
        if level >= self._anchor:
            memory = self._memory[level - self._anchor]
            memory[..., y : y + part.shape[-2], x : x + part.shape[-1]] = part

    def flush(self) -> None:
        """Write the changed chunks of the levels that others cannot be made from."""
        for writer in self._writers:
            writer.flush()

    def flush_level0(self) -> None:
        """Write the changed chunks of level 0 and keep none of them in memory."""
        self._writers[0].flush()
        self._writers[0].forget()

    def flush_coarse(self) -> None:
        """Write the coarsest levels, so that other programs see them up to date."""
        for array, memory in zip(self._arrays[self._anchor + 1 :], self._memory[1:], strict=True):
            writer = ChunkWriter(array)
            writer.write(0, 0, memory)
            writer.flush()


def open_array(folder: zarr.Group, name: str) -> zarr.Array[Any]:
    """Open an array of a group by name."""
    array = folder[name]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{folder.path}/{name} is not an array")
    return array


def open_group(folder: zarr.Group, name: str) -> zarr.Group:
    """Open a group of a group by name."""
    found = folder[name]
    if not isinstance(found, zarr.Group):
        raise TypeError(f"{folder.path}/{name} is not a group")
    return found
