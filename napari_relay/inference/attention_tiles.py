"""The attention of single tiles, cell by cell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.inference.attention import Branch
from napari_relay.inference.attention_arrays import AttentionArrays
from napari_relay.inference.attention_cells import CellReader
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.inference.chunks import StoredArray


def read_attention_tiles(
    arrays: AttentionArrays, branch: Branch, choice: AttentionChoice, tiles: Window
) -> NDArray[np.float32]:
    """What every relay token and each tile of a rectangle have between them.

    Parameters
    ----------
    choice
        The relay token does not count.
    tiles
        Rows and columns of tiles, inside the grid.

    Returns
    -------
    NDArray[np.float32]
        ``(relay token, tile row, tile column, y, x)``, softmax weights in [0, 1];
        NaN where nothing is predicted. The cells are the finest of the chosen
        blocks: those of the tile's own area in the local branch, those of the
        whole global crop in the global one.

    Raises
    ------
    UserError
        When the store keeps no such block or head.
    """
    reader = CellReader(arrays, choice, each_token=True)
    weights = reader.weights
    side = arrays.layout.cells(branch, min(weights), arrays.grid)
    total = np.zeros((reader.depth, tiles.height, tiles.width, side, side), np.float32)
    for stride, weight in weights.items():
        cells = _cells(reader, branch, stride, tiles)
        repeat = side // cells.shape[-1]
        total += weight * cells.repeat(repeat, axis=-2).repeat(repeat, axis=-1)
    return total / np.float32(sum(weights.values()))


def _cells(reader: CellReader, branch: Branch, stride: int, tiles: Window) -> NDArray[np.float32]:
    arrays = reader.arrays
    array = arrays.wide[stride] if branch == "global" else arrays.local[stride].levels[0]
    assert isinstance(array, StoredArray)
    side = arrays.layout.cells(branch, stride, arrays.grid)
    rows, cols = slice(tiles.y0 * side, tiles.y1 * side), slice(tiles.x0 * side, tiles.x1 * side)
    found = reader.read(array, stride, rows, cols)
    split = found.reshape(reader.depth, tiles.height, side, tiles.width, side)
    return split.transpose(0, 1, 3, 2, 4)
