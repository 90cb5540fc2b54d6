"""Attention maps of the global branch, put together from the tiles of a store."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window, level_translate
from napari_relay.inference.attention import AttentionStack
from napari_relay.inference.attention_arrays import AttentionArrays
from napari_relay.inference.attention_cells import CellReader
from napari_relay.inference.attention_local import thinning
from napari_relay.inference.sharding import tiles_a_shard

_STRIP = 512
"""About as many rows of cells are put together at once."""


class _Frame(NamedTuple):
    """A grid of cells over the image, finer than or equal to all tiles' own."""

    cell: int
    """Level-0 pixels a cell."""
    origin: int
    """Level-0 row, and column, at which cell 0 begins: that of the first global crop."""
    area: Window
    """Cells that are wanted, whole runs of :attr:`step`."""
    step: int
    """Cells a side that become one."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of what becomes of :attr:`area`."""
        return self.area.height // self.step, self.area.width // self.step

    def strip(self, first: int, stop: int) -> _Frame:
        """The part under rows ``first ... stop - 1`` of what becomes of :attr:`area`."""
        y0 = self.area.y0 + first * self.step
        y1 = min(self.area.y0 + stop * self.step, self.area.y1)
        return self._replace(area=self.area._replace(y0=y0, height=y1 - y0))

    @property
    def translate(self) -> tuple[float, float]:
        """Level-0 ``(row, col)`` of the middle of the first run."""
        middle = self.origin + level_translate(self.cell * self.step)
        return self.area.y0 * self.cell + middle, self.area.x0 * self.cell + middle


def read_global(reader: CellReader, window: Window, max_side: int) -> AttentionStack:
    """The mean over all predicted tiles whose global crop covers a cell.

    A map that is thinned has the mean of ``2**n`` cells a side.
    """
    frame = _frame(reader.arrays, list(reader.weights), window, max_side)
    values = np.empty((reader.depth, *frame.shape), dtype=np.float32)
    for first in range(0, frame.shape[0], max(_STRIP // frame.step, 1)):
        part = frame.strip(first, first + max(_STRIP // frame.step, 1))
        mean = _mean(_stitched(reader, part), frame.step)
        values[:, first : first + mean.shape[1]] = mean
    return AttentionStack(values, float(frame.cell * frame.step), frame.translate)


def _stitched(reader: CellReader, frame: _Frame) -> NDArray[np.float32]:
    """The cells of the frame, ``(depth, rows, cols)``; NaN where nothing is predicted."""
    arrays, stride = reader.arrays, reader.arrays.grid.stride
    total = np.zeros((reader.depth, frame.area.height, frame.area.width), dtype=np.float32)
    count = np.zeros(total.shape[1:], dtype=np.float32)
    for patch, weight in reader.weights.items():
        for tiles in _strips(_tiles_over(arrays, frame), tiles_a_shard(stride)):
            crops, present = _crops(reader, patch, tiles)
            for target, blocks in zip((count, *total), (present, *crops), strict=True):
                values = overlapped(blocks, *_pace(arrays, patch, frame))
                _add(target, frame, tiles, stride, weight * values)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / count, np.float32(np.nan))


def _mean(cells: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Mean of ``step`` by ``step`` cells, of those that are predicted."""
    if step == 1:
        return cells
    depth, rows, cols = cells.shape
    runs = cells.reshape(depth, rows // step, step, cols // step, step)
    count = np.isfinite(runs).sum(axis=(2, 4), dtype=np.float32)
    total = np.nansum(runs, axis=(2, 4), dtype=np.float32)
    mean: NDArray[np.float32] = np.full_like(total, np.nan)
    np.divide(total, count, out=mean, where=count > 0)
    return mean


def _frame(arrays: AttentionArrays, strides: list[int], window: Window, max_side: int) -> _Frame:
    factor = arrays.layout.context_factor
    cell = math.gcd(arrays.grid.stride, *(stride * factor for stride in strides))
    origin = arrays.grid.crop(0, 0).around(factor).y0
    spans = [
        ((start - origin) // cell, math.ceil((stop - origin) / cell))
        for start, stop in ((window.y0, window.y1), (window.x0, window.x1))
    ]
    step = thinning(max(stop - start for start, stop in spans), max_side)
    (y0, y1), (x0, x1) = (
        (start // step * step, math.ceil(stop / step) * step) for start, stop in spans
    )
    return _Frame(cell, origin, Window(y0, x0, y1 - y0, x1 - x0), step)


def _tiles_over(arrays: AttentionArrays, frame: _Frame) -> Window:
    """The rectangle of tiles whose global crops meet the frame."""
    grid, factor = arrays.grid, arrays.layout.context_factor
    reach = (factor * grid.crop_size - grid.stride) // 2
    area, origin = Window(*(side * frame.cell for side in frame.area)), frame.origin
    covered = area._replace(y0=area.y0 + origin, x0=area.x0 + origin)
    rows, cols = grid.slices_of(covered.expanded(reach))
    return Window(rows.start, cols.start, rows.stop - rows.start, cols.stop - cols.start)


def _strips(tiles: Window, size: int) -> Iterator[Window]:
    """Rows of tiles, cut where shards end."""
    cuts = [tiles.y0, *range((tiles.y0 // size + 1) * size, tiles.y1, size), tiles.y1]
    return (tiles._replace(y0=a, height=b - a) for a, b in pairwise(cuts))


def _crops(
    reader: CellReader, stride: int, tiles: Window
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The tiles' crops ``(depth, tile row, y, tile column, x)``, 0 where there are none.

    Second, without the first axis, which there are: 1 or 0.
    """
    arrays = reader.arrays
    side = arrays.layout.cells("global", stride, arrays.grid)
    rows, cols = slice(tiles.y0 * side, tiles.y1 * side), slice(tiles.x0 * side, tiles.x1 * side)
    mosaic = reader.read(arrays.wide[stride], stride, rows, cols)
    crops = mosaic.reshape(reader.depth, tiles.height, side, tiles.width, side)
    present = ~np.isnan(crops[0, :, :1, :, :1])
    count = np.broadcast_to(present.astype(np.float32), crops.shape[1:])
    return np.where(present, crops, 0), count


def _pace(arrays: AttentionArrays, stride: int, frame: _Frame) -> tuple[int, int]:
    """Cells of the frame between two tiles, and a cell of a tile."""
    grid, factor = arrays.grid, arrays.layout.context_factor
    return grid.stride // frame.cell, stride * factor // frame.cell


def overlapped(blocks: NDArray[np.float32], pace: int, repeat: int) -> NDArray[np.float32]:
    """Sum of blocks ``(rows, y, cols, x)`` that lie ``pace`` cells apart, as ``(y, x)``.

    Each cell of a block is ``repeat`` cells wide.
    """
    rows = _lines(blocks, pace, repeat)
    return _lines(rows.transpose(1, 2, 0), pace, repeat).T


def _lines(blocks: NDArray[np.float32], pace: int, repeat: int) -> NDArray[np.float32]:
    """Sum of ``(block, cell, ...)`` over their first two axes' cells: ``(cell, ...)``."""
    count, side = blocks.shape[:2]
    total = np.zeros(((count - 1) * pace + side * repeat, *blocks.shape[2:]), dtype=np.float32)
    for k in range(side * repeat):
        total[k : k + (count - 1) * pace + 1 : pace] += blocks[:, k // repeat]
    return total


def _add(
    target: NDArray[np.float32],
    frame: _Frame,
    tiles: Window,
    stride: int,
    values: NDArray[np.float32],
) -> None:
    """Add cells that begin with the first tile's crop where they meet the frame."""
    pace = stride // frame.cell
    placed = Window(tiles.y0 * pace, tiles.x0 * pace, *values.shape)
    common = placed.intersection(frame.area)
    here = common._replace(y0=common.y0 - frame.area.y0, x0=common.x0 - frame.area.x0)
    there = common._replace(y0=common.y0 - placed.y0, x0=common.x0 - placed.x0)
    target[here.slices] += values[there.slices]
