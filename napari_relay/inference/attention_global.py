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

    @property
    def translate(self) -> tuple[float, float]:
        """Level-0 ``(row, col)`` of the middle of the first run."""
        middle = self.origin + level_translate(self.cell * self.step)
        return self.area.y0 * self.cell + middle, self.area.x0 * self.cell + middle


def read_global(reader: CellReader, window: Window, max_side: int) -> AttentionStack:
    """The mean over all predicted tiles whose global crop covers a cell.

    A map that is thinned has the mean of ``2**n`` cells a side.
    """
    arrays, weights = reader.arrays, reader.weights
    frame = _frame(arrays, list(weights), window, max_side)
    total = np.zeros((reader.depth, *frame.shape), dtype=np.float32)
    count = np.zeros(frame.shape, dtype=np.float32)
    for stride, weight in weights.items():
        for tiles in _strips(_tiles_over(arrays, window), tiles_a_shard(arrays.grid.stride)):
            crops, present = _crops(reader, stride, tiles)
            for target, blocks in zip((count, *total), (present, *crops), strict=True):
                values = overlapped(blocks, *_pace(arrays, stride, frame))
                _add(target, frame, tiles, arrays.grid.stride, weight * values)
    with np.errstate(invalid="ignore"):
        mean = np.where(count > 0, total / count, np.float32(np.nan))
    return AttentionStack(mean, float(frame.cell * frame.step), frame.translate)


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


def _tiles_over(arrays: AttentionArrays, window: Window) -> Window:
    """The rectangle of tiles whose global crops meet the window."""
    grid = arrays.grid
    reach = (arrays.layout.context_factor * grid.crop_size - grid.stride) // 2
    reached = window.expanded(reach).intersection(arrays.image)
    y0, x0 = reached.y0 // grid.stride, reached.x0 // grid.stride
    y1, x1 = math.ceil(reached.y1 / grid.stride), math.ceil(reached.x1 / grid.stride)
    return Window(y0, x0, y1 - y0, x1 - x0)


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
    if not common.area:
        return
    inside = values[common._replace(y0=common.y0 - placed.y0, x0=common.x0 - placed.x0).slices]
    rows, cols = _runs(common.y0, common.y1, frame.step), _runs(common.x0, common.x1, frame.step)
    summed = _summed(_summed(inside, rows), cols, axis=1)
    y0, x0 = (common.y0 - frame.area.y0) // frame.step, (common.x0 - frame.area.x0) // frame.step
    target[y0 : y0 + summed.shape[0], x0 : x0 + summed.shape[1]] += summed


def _runs(start: int, stop: int, step: int) -> NDArray[np.intp]:
    """Where, counted from ``start``, each run of ``step`` begins."""
    return np.array([0, *range(step - start % step, stop - start, step)], dtype=np.intp)


def _summed(
    values: NDArray[np.float32], starts: NDArray[np.intp], axis: int = 0
) -> NDArray[np.float32]:
    if len(starts) == values.shape[axis]:
        return values
    return np.add.reduceat(values, starts, axis=axis)
