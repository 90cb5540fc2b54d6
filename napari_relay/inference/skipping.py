"""Tiles in which an image has no data, found without a model."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.selection import Block, TileMap

_STRIP = 64


def can_lack_data(image: PyramidImage) -> bool:
    """Whether some pixel value of the image means that there is no data."""
    return image.nodata is not None or np.issubdtype(image.dtype, np.inexact)


def likely_blank(image: PyramidImage, grid: TileGrid, tiles: TileMap) -> TileMap:
    """Those of ``tiles`` in and around which a coarse level shows no data.

    A coarse level may leave out thin structures: :func:`find_data` knows.
    """
    likely = np.zeros(grid.shape, dtype=bool)
    if not can_lack_data(image):
        return likely
    rows, cols = (np.flatnonzero(tiles.any(axis=axis)) for axis in (1, 0))
    for start in range(0, int(rows[-1]) + 1 if rows.size else 0, _STRIP):
        inside = rows[(rows >= start) & (rows < start + _STRIP)]
        if inside.size:
            block = Block(
                int(inside[0]), int(cols[0]), int(np.ptp(inside)) + 1, int(np.ptp(cols)) + 1
            )
            likely[block.slices] = ~_coarse_data(image, grid, block)
    return likely & tiles


def _coarse_data(image: PyramidImage, grid: TileGrid, block: Block) -> TileMap:
    """In or around which tiles of a block a coarse level shows data."""
    level = image.level_for(grid.stride)
    factor = image.factors[level]
    margin = math.ceil(factor)
    window = block.window(grid).expanded(margin)
    valid = image.read(window, level).valid
    spans = [
        spans_around(tiles, grid.stride, factor, margin, origin, size)
        for tiles, origin, size in zip(block.slices, window[:2], valid.shape, strict=True)
    ]
    return any_in(valid, *spans)


def spans_around(
    tiles: slice, stride: int, factor: float, margin: int, origin: int, size: int
) -> NDArray[np.intp]:
    """Pixels of a level that lie in or around each tile of a line of tiles.

    Parameters
    ----------
    tiles
        Rows or columns of the tile grid.
    stride
        Side of a tile, level-0 pixels.
    factor
        Level-0 pixels a pixel of the level.
    margin
        Level-0 pixels that count as around a tile, on each side.
    origin
        First row or column of the window that was read, level-0 pixels.
    size
        Rows or columns that were read, in the level's pixels.

    Returns
    -------
    NDArray[np.intp]
        ``(n, 2)`` first and last + 1, counted from what was read; not empty.
    """
    starts = np.arange(tiles.start, tiles.stop) * stride
    # A read begins at round(origin / factor), see PyramidImage.read.
    first = round(origin / factor)
    begin = np.floor((starts - margin) / factor).astype(np.intp) - first
    end = np.ceil((starts + stride + margin) / factor).astype(np.intp) - first
    return np.stack([np.clip(begin, 0, size - 1), np.clip(end, 1, size)], axis=1)


def any_in(mask: NDArray[np.bool_], rows: NDArray[np.intp], cols: NDArray[np.intp]) -> TileMap:
    """Whether anything of a mask is set in each of the rectangles ``rows × cols``.

    ``(n, 2)`` and ``(m, 2)`` first and last + 1 give ``(n, m)``.
    """
    total = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), dtype=np.int64)
    total[1:, 1:] = mask.cumsum(axis=0, dtype=np.int64).cumsum(axis=1)
    lines = total[rows[:, 1]] - total[rows[:, 0]]
    found: TileMap = lines[:, cols[:, 1]] > lines[:, cols[:, 0]]
    return found


def find_data(image: PyramidImage, grid: TileGrid, block: Block) -> TileMap:
    """Which tiles of a block have a pixel with data, ``(tile rows, tile columns)``; exact."""
    valid = image.read(block.window(grid)).valid
    if not valid.any():
        return np.zeros((block.height, block.width), dtype=bool)
    return any_in(valid, *(_own_spans(size, grid.stride) for size in valid.shape))


def _own_spans(size: int, stride: int) -> NDArray[np.intp]:
    starts = np.arange(0, size, stride)
    return np.stack([starts, np.minimum(starts + stride, size)], axis=1)
