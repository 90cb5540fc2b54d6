"""Attention maps put together from the tiles of a store."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window, level_translate
from napari_relay.inference.attention import AttentionMap, Branch, Direction
from napari_relay.inference.attention_arrays import AttentionArrays
from napari_relay.inference.chunks import StoredArray
from napari_relay.inference.sharding import tiles_a_shard

_STRIP = 512


class AttentionChoice(NamedTuple):
    """Which attention is wanted; None: the mean over all that is kept."""

    direction: Direction
    """Who reads whom."""
    block: int | None = None
    """A transformer block of the model, from 0."""
    token: int | None = None
    """A relay token, from 0."""
    head: int | None = None
    """An attention head of the block, from 0."""


def read_attention_map(
    arrays: AttentionArrays,
    branch: Branch,
    choice: AttentionChoice,
    window: Window | None = None,
    max_side: int = 2048,
) -> AttentionMap:
    """Attention over a window, as one map in the image's frame.

    In the local branch each cell comes from the tile it lies in. In the global
    branch it is the mean over all predicted tiles whose global crop covers it,
    on the finest grid that the cells of all tiles share. Blocks with coarser
    cells are repeated on the finest cells.

    Parameters
    ----------
    window
        Level-0 pixels; None: the whole image.
    max_side
        A larger map is thinned to this many cells a side.

    Raises
    ------
    UserError
        When the store keeps no such block, relay token or head.
    """
    arrays.layout.require(choice.block, choice.token, choice.head)
    wanted = arrays.image if window is None else window.intersection(arrays.image)
    read = _read_local if branch == "local" else _read_global
    return read(arrays, choice, wanted, max_side)


def _weights(arrays: AttentionArrays, block: int | None) -> dict[int, int]:
    """How many blocks of each patch stride the map is the mean of."""
    groups = arrays.layout.groups
    if block is None:
        return {stride: len(members) for stride, members in groups.items()}
    return {arrays.layout.strides[block]: 1}


def _read(
    arrays: AttentionArrays,
    array: StoredArray,
    stride: int,
    choice: AttentionChoice,
    rows: slice,
    cols: slice,
) -> NDArray[np.float32]:
    """The chosen maps' mean over heads and relay tokens, ``(rows, cols)``."""
    layout = arrays.layout
    channels = layout.channels(stride, choice.direction, choice.block)
    found = array[channels, rows, cols]
    by_head = found.reshape(layout.head_count(stride), layout.num_tokens, *found.shape[1:])
    heads = by_head if choice.head is None else by_head[choice.head : choice.head + 1]
    tokens = heads if choice.token is None else heads[:, choice.token : choice.token + 1]
    total = np.zeros(found.shape[1:], dtype=np.float32)
    for one in tokens.reshape(-1, *total.shape):
        total += one
    return total / np.float32(tokens.shape[0] * tokens.shape[1])


# --- local branch


def _read_local(
    arrays: AttentionArrays, choice: AttentionChoice, window: Window, max_side: int
) -> AttentionMap:
    weights = _weights(arrays, choice.block)
    fine = min(weights)
    sides = [(window.y0, window.y1), (window.x0, window.x1)]
    first = [start // fine for start, _ in sides]
    counts = [math.ceil(stop / fine) - start // fine for start, stop in sides]
    step = max(math.ceil(max(counts) / max_side), 1)
    rows, cols = (
        start + np.arange(0, count, step) + (step - 1) / 2
        for start, count in zip(first, counts, strict=True)
    )
    values = np.zeros((len(rows), len(cols)), dtype=np.float32)
    for stride, weight in weights.items():
        for k in range(0, len(rows), _STRIP):
            part = _thinned(arrays, stride, choice, rows[k : k + _STRIP], cols, step, fine)
            values[k : k + _STRIP] += weight * part
    values /= np.float32(sum(weights.values()))
    return _placed(values, window, fine, step)


def _thinned(
    arrays: AttentionArrays,
    stride: int,
    choice: AttentionChoice,
    rows: NDArray[np.floating],
    cols: NDArray[np.floating],
    step: int,
    fine: int,
) -> NDArray[np.float32]:
    """The cells next to ``rows`` and ``cols``, from the coarsest level that has them.

    ``rows`` and ``cols`` count cells of ``fine`` px, whose centres are whole numbers.
    """
    levels = arrays.local[stride].levels
    ratio = stride // fine
    level = min(int(math.log2(max(step // ratio, 1))), len(levels) - 1)
    array = levels[level]
    assert isinstance(array, StoredArray)
    y, x = (
        np.clip(np.rint(((line + 0.5) / ratio - 0.5) / 2**level), 0, side - 1).astype(np.intp)
        for line, side in zip((rows, cols), array.shape[-2:], strict=True)
    )
    slab = _read(arrays, array, stride, choice, _span(y), _span(x))
    return slab[np.ix_(y - y[0], x - x[0])]


def _span(indices: NDArray[np.intp]) -> slice:
    return slice(int(indices[0]), int(indices[-1]) + 1)


def _placed(
    values: NDArray[np.float32], window: Window, cell: int, step: int, origin: int = 0
) -> AttentionMap:
    """Frame of a map whose first cell is the first that meets ``window``."""
    offset = level_translate(cell * step) + origin
    first = [(start - origin) // cell * cell for start in (window.y0, window.x0)]
    return AttentionMap(values, float(cell * step), (first[0] + offset, first[1] + offset))


# --- global branch


def _read_global(
    arrays: AttentionArrays, choice: AttentionChoice, window: Window, max_side: int
) -> AttentionMap:
    grid, layout = arrays.grid, arrays.layout
    weights = _weights(arrays, choice.block)
    cell = math.gcd(grid.stride, *(stride * layout.context_factor for stride in weights))
    origin = grid.crop(0, 0).around(layout.context_factor).y0
    area = _cell_area(window, cell, origin)
    total = np.zeros((area.height, area.width), dtype=np.float32)
    count = np.zeros_like(total)
    tiles = _tiles_over(arrays, window)
    for stride, weight in weights.items():
        for rows in _strips(tiles, tiles_a_shard(grid.stride)):
            part = tiles._replace(y0=rows.start, height=rows.stop - rows.start)
            _add_tiles(arrays, stride, choice, part, cell, area, weight, (total, count))
    step = max(math.ceil(max(total.shape) / max_side), 1)
    with np.errstate(invalid="ignore"):
        mean = np.where(count > 0, total / count, np.float32(np.nan))
    thinned = mean[np.ix_(*(_every(side, step) for side in mean.shape))]
    return _placed(thinned, window, cell, step, origin)


def _every(count: int, step: int) -> NDArray[np.intp]:
    """The middle cell of each run of ``step``."""
    return np.minimum(np.arange(0, count, step) + step // 2, count - 1)


def _cell_area(window: Window, cell: int, origin: int) -> Window:
    """Cells, counted from ``origin``, that meet the window."""
    y0, x0 = (window.y0 - origin) // cell, (window.x0 - origin) // cell
    y1, x1 = math.ceil((window.y1 - origin) / cell), math.ceil((window.x1 - origin) / cell)
    return Window(y0, x0, y1 - y0, x1 - x0)


def _tiles_over(arrays: AttentionArrays, window: Window) -> Window:
    """The rectangle of tiles whose global crops meet the window."""
    grid = arrays.grid
    reach = (arrays.layout.context_factor * grid.crop_size - grid.stride) // 2
    reached = window.expanded(reach).intersection(arrays.image)
    y0, x0 = reached.y0 // grid.stride, reached.x0 // grid.stride
    y1, x1 = math.ceil(reached.y1 / grid.stride), math.ceil(reached.x1 / grid.stride)
    return Window(y0, x0, y1 - y0, x1 - x0)


def _strips(tiles: Window, size: int) -> list[range]:
    """Rows of tiles, cut where shards end."""
    cuts = [tiles.y0, *range((tiles.y0 // size + 1) * size, tiles.y1, size), tiles.y1]
    return [range(a, b) for a, b in pairwise(cuts)]


def _add_tiles(
    arrays: AttentionArrays,
    stride: int,
    choice: AttentionChoice,
    tiles: Window,
    cell: int,
    area: Window,
    weight: int,
    sums: tuple[NDArray[np.float32], NDArray[np.float32]],
) -> None:
    """Add a rectangle of tiles' global crops to ``sums``, total and count over ``area``."""
    grid, layout = arrays.grid, arrays.layout
    side, pace = layout.cells("global", stride, grid), grid.stride // cell
    rows, cols = (slice(a * side, b * side) for a, b in _bounds(tiles))
    mosaic = _read(arrays, arrays.wide[stride], stride, choice, rows, cols)
    repeat = stride * layout.context_factor // cell
    crops = mosaic.reshape(tiles.height, side, tiles.width, side)
    present = ~np.isnan(crops[:, :1, :, :1])
    values = np.where(present, crops, 0)
    counts = np.broadcast_to(present.astype(np.float32), values.shape)
    frame = Window(tiles.y0 * pace, tiles.x0 * pace, 0, 0)
    for target, blocks in zip(sums, (values, counts), strict=True):
        _add(target, area, frame, weight * overlapped(blocks, pace, repeat))


def _bounds(window: Window) -> tuple[tuple[int, int], tuple[int, int]]:
    return (window.y0, window.y1), (window.x0, window.x1)


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
    target: NDArray[np.float32], area: Window, frame: Window, values: NDArray[np.float32]
) -> None:
    """Add ``values``, whose first cell is ``frame``'s, where they meet ``area``."""
    placed = frame._replace(height=values.shape[0], width=values.shape[1])
    common = placed.intersection(area)
    here = common._replace(y0=common.y0 - area.y0, x0=common.x0 - area.x0)
    there = common._replace(y0=common.y0 - placed.y0, x0=common.x0 - placed.x0)
    target[here.slices] += values[there.slices]
