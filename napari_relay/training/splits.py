"""Which places are trained on, and which are held out to measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid, Window
from napari_relay.training.labels import LabelSource
from relay_tokens import UserError


@dataclass(frozen=True)
class SpatialSplit:
    """Held-out blocks of an image; everything else is for training.

    A local crop is trained on only when it touches no held-out block, so no
    held-out pixel is ever seen at full resolution with its label. Global crops
    may show held-out places, coarsely and without labels.
    """

    image: Window
    """The whole image."""
    held_out: tuple[Window, ...]
    """Blocks that are measured on, inside the image."""
    crop_size: int
    """Side of a local crop, in pixels."""

    def allows(self, window: Window) -> bool:
        """Whether a training crop may lie at ``window``."""
        return not any(window.intersects(block) for block in self.held_out)

    def validation_windows(self) -> tuple[Window, ...]:
        """Windows of ``crop_size`` a side that cover the held-out blocks.

        At a block's lower and right edge a window may reach beyond it; there
        only the pixels that :meth:`owned` gives count.
        """
        side = self.crop_size
        return tuple(
            Window(y, x, side, side)
            for block in self.held_out
            for y in range(block.y0, block.y1, side)
            for x in range(block.x0, block.x1, side)
        )

    def owned(self, window: Window) -> NDArray[np.bool_]:
        """Pixels of a window that are held out; ``(height, width)``."""
        mask = np.zeros((window.height, window.width), dtype=bool)
        for block in self.held_out:
            part = window.intersection(block)
            rows, cols = part.slices
            mask[
                rows.start - window.y0 : rows.stop - window.y0,
                cols.start - window.x0 : cols.stop - window.x0,
            ] |= part.area > 0
        return mask


def split_image(
    shape: tuple[int, int],
    crop_size: int,
    fraction: float = 0.2,
    seed: int = 0,
    labels: LabelSource | None = None,
) -> SpatialSplit:
    """Hold out random blocks of an image.

    Blocks are two crops a side, or one where the image is small. With
    ``labels``, the one of 32 random choices is taken whose classes are shared
    most evenly: a class must be both learnt and measured.

    Parameters
    ----------
    shape
        Rows and columns of the image.
    crop_size
        Side of a local crop, in pixels.
    fraction
        Share of the blocks that is held out, 0 to 1; at least one block is.
    seed
        Of the random choice.
    labels
        What the image shows; read once.

    Raises
    ------
    UserError
        When the image has no room for a held-out block and a training crop.
    """
    blocks = _blocks(shape, crop_size)
    count = min(max(round(fraction * len(blocks)), 1), len(blocks) - 1)
    rng = np.random.default_rng(seed)
    shares = _class_shares(blocks, labels) if labels else np.full((len(blocks), 1), 1.0)
    choices = [rng.choice(len(blocks), count, replace=False) for _ in range(32)]
    wanted = count / len(blocks)
    best = min(choices, key=lambda choice: _unfairness(shares[choice].sum(axis=0), wanted))
    held_out = tuple(blocks[i] for i in sorted(best))
    return SpatialSplit(Window(0, 0, *shape), held_out, crop_size)


def _unfairness(held_out: NDArray[np.float64], wanted: float) -> tuple[int, float]:
    """Number of classes that are only learnt or only measured, then the worst share."""
    lost = int(((held_out < 1e-3) | (held_out > 1 - 1e-3)).sum())
    return lost, float(np.abs(held_out - wanted).max())


def _blocks(shape: tuple[int, int], crop_size: int) -> list[Window]:
    for side in (2 * crop_size, crop_size):
        grid = TileGrid(*shape, side, 0)
        rows, cols = grid.shape
        blocks = [grid.tile(i, j) for i in range(rows) for j in range(cols)]
        if len(blocks) >= 8:
            return blocks
    if len(blocks) < 2 or max(shape) < 2 * crop_size:
        raise UserError(
            f"An image of {shape[0]} × {shape[1]} pixels has no room to train and to measure "
            f"with a crop size of {crop_size}; choose at most {max(shape) // 2}."
        )
    return blocks


def _class_shares(blocks: Sequence[Window], labels: LabelSource) -> NDArray[np.float64]:
    """Share of each class's pixels that lies in each block; ``(block, class)``."""
    counts = np.array([np.bincount(labels.read(b).ravel(), minlength=256)[:255] for b in blocks])
    present = counts[:, counts.any(axis=0)]
    return present / present.sum(axis=0) if present.size else np.full((len(blocks), 1), 1.0)
