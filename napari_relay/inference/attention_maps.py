"""Attention maps put together from the tiles of a store."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window, level_translate
from napari_relay.inference.attention import (
    DIRECTIONS,
    TILES_A_CHUNK,
    AttentionArrays,
    AttentionMap,
    Branch,
    Direction,
)

_STRIP = 256


def read_attention_map(
    arrays: AttentionArrays,
    branch: Branch,
    direction: Direction,
    block: int | None = None,
    token: int | None = None,
    window: Window | None = None,
    max_side: int = 2048,
) -> AttentionMap:
    """Attention over a window, as one map in the image's frame.

    In the local branch each cell comes from the tile it lies in. In the global
    branch it is the mean over all predicted tiles whose global crop covers it,
    on the finest grid that the cells of all tiles share.

    Parameters
    ----------
    block, token
        None: the mean over blocks or relay tokens. Blocks with coarser cells
        are repeated on the finest cells.
    window
        Level-0 pixels; None: the whole image.
    max_side
        A larger map is thinned to this many cells a side.

    Raises
    ------
    ValueError
        When there is no such block.
    """
    wanted = arrays.image if window is None else window.intersection(arrays.image)
    read = _read_local if branch == "local" else _read_global
    return read(arrays, DIRECTIONS.index(direction), block, token, wanted, max_side)


def _read_local(
    arrays: AttentionArrays,
    direction: int,
    block: int | None,
    token: int | None,
    window: Window,
    max_side: int,
) -> AttentionMap:
    chosen, tokens = arrays.blocks(block), arrays.tokens(token)
    fine = min(chosen)
    rows, row_step = _thinned(window.y0, window.y1, fine, max_side)
    cols, col_step = _thinned(window.x0, window.x1, fine, max_side)
    step = max(row_step, col_step)
    rows, cols = (_every(axis, step) for axis in (rows, cols))
    values = np.zeros((len(rows), len(cols)), dtype=np.float32)
    for stride, blocks in chosen.items():
        array, ratio = arrays.arrays["local", stride], stride // fine
        for first in range(0, len(rows), _STRIP):
            strip = rows[first : first + _STRIP] // ratio
            part = array.oindex[direction, blocks, tokens, strip, cols // ratio]
            total = np.asarray(part, dtype=np.float32).mean(axis=1).sum(axis=0)
            values[first : first + _STRIP] += total
    values /= sum(map(len, chosen.values()))
    return _placed(values, window, fine, step)


def _thinned(start: int, stop: int, cell: int, max_side: int) -> tuple[NDArray[np.intp], int]:
    """Cells that meet ``start ... stop`` and the step that leaves ``max_side`` of them."""
    cells = np.arange(start // cell, math.ceil(stop / cell))
    return cells, max(math.ceil(len(cells) / max_side), 1)


def _every(cells: NDArray[np.intp], step: int) -> NDArray[np.intp]:
    """The middle cell of each run of ``step``."""
    runs = np.arange(0, len(cells), step)
    return cells[np.minimum(runs + step // 2, len(cells) - 1)]


def _placed(
    values: NDArray[np.float32], window: Window, cell: int, step: int, origin: int = 0
) -> AttentionMap:
    """Frame of a map whose first cell is the first that meets ``window``."""
    offset = level_translate(cell * step) + origin
    first = [(start - origin) // cell * cell for start in (window.y0, window.x0)]
    return AttentionMap(values, float(cell * step), (first[0] + offset, first[1] + offset))


def _read_global(
    arrays: AttentionArrays,
    direction: int,
    block: int | None,
    token: int | None,
    window: Window,
    max_side: int,
) -> AttentionMap:
    grid, layout = arrays.grid, arrays.layout
    chosen, tokens = arrays.blocks(block), arrays.tokens(token)
    cell = math.gcd(grid.stride, *(stride * layout.context_factor for stride in chosen))
    origin = grid.crop(0, 0).around(layout.context_factor).y0
    area = _cell_area(window, cell, origin)
    total = np.zeros((area.height, area.width), dtype=np.float32)
    count = np.zeros_like(total)
    for stride, blocks in chosen.items():
        repeat = stride * layout.context_factor // cell
        for index, values in _global_tiles(arrays, stride, direction, blocks, tokens, window):
            y, x = (position * grid.stride // cell for position in index)
            _add(total, count, area, y, x, values, repeat, len(blocks))
    step = max(math.ceil(max(total.shape) / max_side), 1)
    with np.errstate(invalid="ignore"):
        mean = np.where(count > 0, total / count, np.float32(np.nan))
    rows, cols = (_every(np.arange(side), step) for side in mean.shape)
    return _placed(mean[np.ix_(rows, cols)], window, cell, step, origin)


def _cell_area(window: Window, cell: int, origin: int) -> Window:
    """Cells, counted from ``origin``, that meet the window."""
    y0, x0 = (window.y0 - origin) // cell, (window.x0 - origin) // cell
    y1, x1 = math.ceil((window.y1 - origin) / cell), math.ceil((window.x1 - origin) / cell)
    return Window(y0, x0, y1 - y0, x1 - x0)


def _global_tiles(
    arrays: AttentionArrays,
    stride: int,
    direction: int,
    blocks: NDArray[np.intp],
    tokens: NDArray[np.intp],
    window: Window,
) -> Iterator[tuple[tuple[int, int], NDArray[np.float32]]]:
    """Each predicted tile whose global crop meets the window: index and ``(rows, cols)``."""
    grid, layout = arrays.grid, arrays.layout
    reach = (layout.context_factor * grid.crop_size - grid.stride) // 2
    cells = layout.cells("global", stride, grid)
    array, side = arrays.arrays["global", stride], TILES_A_CHUNK * cells
    for (i, j), members in _by_chunk(grid.tiles_in(window.expanded(reach))).items():
        part = array[direction, :, :, i * side : (i + 1) * side, j * side : (j + 1) * side]
        mean = np.asarray(part, dtype=np.float32)[blocks][:, tokens].mean(axis=(0, 1))
        for row, col in members:
            y, x = (row - i * TILES_A_CHUNK) * cells, (col - j * TILES_A_CHUNK) * cells
            if not np.isnan(mean[y, x]):
                yield (row, col), mean[y : y + cells, x : x + cells]


def _by_chunk(tiles: list[tuple[int, int]]) -> dict[tuple[int, int], list[tuple[int, int]]]:
    found: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for row, col in tiles:
        found.setdefault((row // TILES_A_CHUNK, col // TILES_A_CHUNK), []).append((row, col))
    return found


def _add(
    total: NDArray[np.float32],
    count: NDArray[np.float32],
    area: Window,
    y: int,
    x: int,
    values: NDArray[np.float32],
    repeat: int,
    weight: int,
) -> None:
    """Add a tile's cells, each ``repeat`` cells wide, where they meet ``area``."""
    side = len(values) * repeat
    common = Window(y, x, side, side).intersection(area)
    rows = (np.arange(common.y0, common.y1) - y) // repeat
    cols = (np.arange(common.x0, common.x1) - x) // repeat
    here = common._replace(y0=common.y0 - area.y0, x0=common.x0 - area.x0).slices
    total[here] += weight * values[np.ix_(rows, cols)]
    count[here] += weight
