"""What a prediction says of each block of an image, read from a coarse level."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from napari_relay.inference.levels import LevelArray

SAMPLES = 8
"""Pixels of the level along each side of a block, at least."""
_STRIP_PIXELS = 1 << 22


@dataclass(frozen=True)
class BlockScores:
    """Blocks of ``side`` × ``side`` level-0 pixels, from the image's first pixel on.

    Block ``(i, j)`` begins at ``(i * side, j * side)``; the last ones may reach
    beyond the image.
    """

    side: int
    """Side of a block, level-0 pixels."""
    shape: tuple[int, int]
    """Rows and columns of the image."""
    known: NDArray[np.float32]
    """``(block rows, block columns)``: share of the block that is predicted, 0 ... 1."""
    entropy: NDArray[np.float32]
    """As ``known``: mean entropy over log(number of classes), 0 ... 1."""
    disagreement: NDArray[np.float32] | None
    """As ``known``: mean scale disagreement, 0 ... 1; None for a model of one scale."""
    mix: NDArray[np.float32]
    """``(block rows, block columns, class)``: share of each predicted class, 0 ... 1."""

    def window(self, row: int, col: int) -> Window:
        """Level-0 pixels of a block, cut at the image's border."""
        whole = Window(int(row) * self.side, int(col) * self.side, self.side, self.side)
        return whole.intersection(Window(0, 0, *self.shape))


def read_block_scores(store: PredictionStore, side: int) -> BlockScores:
    """Average a prediction over blocks, in bounded memory.

    Reads the coarsest level with at least eight pixels along a block, strip by
    strip: one that is in memory for images up to some 130 000 pixels a side.

    Parameters
    ----------
    store
        The prediction; it may still be growing.
    side
        Side of a block, level-0 pixels.
    """
    level = _level(store, side)
    rows, cols = (-(-size // side) for size in store.shape)
    planes = 2 + (store.disagreement is not None) + len(store.classes)
    sums = np.zeros((planes, rows, cols), np.float32)
    strip = max(_STRIP_PIXELS // (store.labels[level].shape[1] * SAMPLES), 1)
    for first in range(0, rows, strip):
        part = slice(first, min(first + strip, rows))
        sums[:, part] = _sums(store, level, side, part)
    return _averaged(store, side, sums)


def _level(store: PredictionStore, side: int) -> int:
    fitting = [k for k in range(len(store.labels)) if side // 2**k >= SAMPLES]
    return max(fitting, default=0)


def _sums(store: PredictionStore, level: int, side: int, part: slice) -> NDArray[np.float32]:
    """Sums over each block of some block rows: pixels, predicted pixels' scores, classes."""
    rows = _starts(part.start, part.stop, side, level, store.labels[level].shape[0])
    cols = _starts(0, -(-store.shape[1] // side), side, level, store.labels[level].shape[1])
    pixels = slice(int(rows[0]), int(rows[-1]))

    def summed(values: NDArray[np.generic]) -> NDArray[np.float32]:
        wide = np.add.reduceat(values, cols[:-1], axis=1, dtype=np.uint32)
        blocks = np.add.reduceat(wide, rows[:-1] - rows[0], axis=0, dtype=np.float32)
        return np.asarray(blocks, np.float32)

    labels = _read(store.labels[level], pixels, int(cols[-1]))
    scores = [store.entropy, *([store.disagreement] if store.disagreement else [])]
    known = summed(labels < len(store.classes))
    means = [summed(_read(s[level], pixels, int(cols[-1]))) for s in scores]
    classes = [summed(labels == c) for c in range(len(store.classes))]
    return np.stack([known, *means, *classes])


def _read(level: LevelArray, rows: slice, cols: int) -> NDArray[np.uint8]:
    return np.asarray(level[rows, :cols])


def _starts(first: int, stop: int, side: int, level: int, size: int) -> NDArray[np.intp]:
    """First pixel of the level in each block, and the one after the last block."""
    edges = -(-np.arange(first, stop + 1) * side // 2**level)
    return np.minimum(edges, size).astype(np.intp)


def _averaged(store: PredictionStore, side: int, sums: NDArray[np.float32]) -> BlockScores:
    count = np.maximum(sums[0], 1)
    # 1 ... 255 stands for 0 ... 1, and 0 for what is not predicted
    means = [np.clip((s / count - 1) / 254, 0, 1) for s in sums[1 : len(sums) - len(store.classes)]]
    mix = np.moveaxis(sums[len(sums) - len(store.classes) :] / count, 0, -1)
    factor = 2 ** _level(store, side)
    full = _whole(store.shape[0], side, factor)[:, None] * _whole(store.shape[1], side, factor)
    known = np.clip(sums[0] / np.maximum(full, 1), 0, 1)
    return BlockScores(
        side, store.shape, known, means[0], means[1] if len(means) > 1 else None, mix
    )


def _whole(size: int, side: int, factor: int) -> NDArray[np.float32]:
    """Pixels of the level along each block, inside the image."""
    edges = np.minimum(np.arange(-(-size // side) + 1) * side, size)
    return np.diff(-(-edges // factor)).astype(np.float32)
