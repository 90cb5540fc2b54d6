"""Attention maps of the local branch, put together from the tiles of a store."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window, level_translate
from napari_relay.inference.attention import AttentionStack
from napari_relay.inference.attention_cells import CellReader
from napari_relay.inference.chunks import StoredArray

_STRIP = 512


def read_local(reader: CellReader, window: Window, max_side: int) -> AttentionStack:
    """The cells that meet a window, or every ``2**n``-th of them; each from the tile it lies in.

    A map that is thinned has the values of single cells, and its points lie in
    the middles of those.
    """
    weights = reader.weights
    fine = min(weights)
    sides = [(window.y0, window.y1), (window.x0, window.x1)]
    spans = [(start // fine, math.ceil(stop / fine)) for start, stop in sides]
    step = thinning(max(stop - start for start, stop in spans), max_side)
    rows, cols = (np.arange(start // step, math.ceil(stop / step)) * step for start, stop in spans)
    values = np.zeros((reader.depth, len(rows), len(cols)), dtype=np.float32)
    for stride, weight in weights.items():
        for k in range(0, len(rows), _STRIP):
            part = _thinned(reader, stride, rows[k : k + _STRIP], cols, step, stride // fine)
            values[:, k : k + _STRIP] += weight * part
    values /= np.float32(sum(weights.values()))
    middle = level_translate(fine)
    first = float(rows[0] * fine + middle), float(cols[0] * fine + middle)
    return AttentionStack(values, float(fine * step), first)


def thinning(count: int, most: int) -> int:
    """The smallest power of two that leaves at most ``most`` of ``count`` cells."""
    return 1 << max(math.ceil(math.log2(count / most)), 0) if count else 1


def _thinned(
    reader: CellReader,
    stride: int,
    rows: NDArray[np.intp],
    cols: NDArray[np.intp],
    step: int,
    ratio: int,
) -> NDArray[np.float32]:
    """The cells under ``rows`` and ``cols``, from the coarsest level that has them.

    ``rows`` and ``cols`` count cells that are ``ratio`` times finer.
    """
    levels = reader.arrays.local[stride].levels
    level = min(int(math.log2(max(step // ratio, 1))), len(levels) - 1)
    array = levels[level]
    assert isinstance(array, StoredArray)
    y, x = (
        np.minimum((line // ratio) >> level, side - 1)
        for line, side in zip((rows, cols), array.shape[-2:], strict=True)
    )
    slab = reader.read(array, stride, _span(y), _span(x))
    return slab[:, *np.ix_(y - y[0], x - x[0])]


def _span(indices: NDArray[np.intp]) -> slice:
    return slice(int(indices[0]), int(indices[-1]) + 1)
