"""What a frozen model and simple filters say of each pixel, for a classifier on top."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference.crops import read_crop_pair
from napari_relay.training.evaluation import batched
from relay_tokens import Checkpoint

SIGMAS = (0.0, 1.0, 3.5)
"""Gaussians over each band, in pixels, as ilastik's default set has them."""
BATCH = 8
"""Crops in a forward pass."""
STRIP = 1 << 17
"""Pixels whose features are put together at once."""

Features = NDArray[np.float32]


class FrozenFeatures:
    """Features of the pixels of a window.

    The local branch's last patch features, each pixel that of its patch, and of
    every band the value, its Gaussian means and their gradient magnitudes.

    Parameters
    ----------
    checkpoint
        The frozen model, whose relay tokens have read the global crop as usual.
    image
        What is looked at.
    window
        Level-0 pixels, inside the image.
    """

    def __init__(self, checkpoint: Checkpoint, image: PyramidImage, window: Window) -> None:
        self.window = window
        self._stride = checkpoint.model.stride
        self._patches = _patch_features(checkpoint, image, window)
        self._filters = _filters(checkpoint, image, window)

    def at(self, rows: NDArray[np.intp], cols: NDArray[np.intp]) -> Features:
        """Features ``(pixel, feature)`` of pixels, counted from the window's first one."""
        patches = self._patches[rows // self._stride, cols // self._stride]
        return np.concatenate([patches, self._filters[rows, cols]], axis=1)

    def strips(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        """All pixels, row by row, in parts of bounded size."""
        every = np.arange(self.window.area)
        count = -(-self.window.area // STRIP)
        return [np.divmod(part, self.window.width) for part in np.array_split(every, count)]


@torch.no_grad()
def _patch_features(checkpoint: Checkpoint, image: PyramidImage, window: Window) -> Features:
    """``(patch rows, patch columns, channel)`` of crops side by side."""
    model, side = checkpoint.model.eval(), checkpoint.model.config.crop_size
    cells = side // model.stride
    rows, cols = -(-window.height // side), -(-window.width // side)
    found = np.empty((rows * cells, cols * cells, model.backbone.channels), np.float32)
    for part in batched(((i, j) for i in range(rows) for j in range(cols)), BATCH):
        crops = [Window(window.y0 + i * side, window.x0 + j * side, side, side) for i, j in part]
        for (i, j), features in zip(part, _forward(checkpoint, image, crops), strict=True):
            found[i * cells : (i + 1) * cells, j * cells : (j + 1) * cells] = features
    return found


def _forward(checkpoint: Checkpoint, image: PyramidImage, crops: Sequence[Window]) -> Features:
    """``(crop, rows, cols, channel)``."""
    model = checkpoint.model
    pairs = [read_crop_pair(image, crop, model.config, checkpoint.metadata) for crop in crops]
    local = torch.from_numpy(np.stack([pair.local for pair in pairs]))
    wide = [pair.global_ for pair in pairs if pair.global_ is not None]
    features = model.backbone(local, torch.from_numpy(np.stack(wide)) if wide else None, False)
    return np.asarray(features.local.permute(0, 2, 3, 1).numpy())


def _filters(checkpoint: Checkpoint, image: PyramidImage, window: Window) -> Features:
    """``(rows, cols, filter)`` of the normalised bands."""
    mean, std = (
        np.array(v, np.float32) for v in (checkpoint.metadata.mean, checkpoint.metadata.std)
    )
    margin = round(4 * max(SIGMAS))
    wide = image.read(window.expanded(margin)).pixels.astype(np.float32)
    found: list[NDArray[np.float32]] = []
    for band in np.moveaxis((wide - mean) / std, -1, 0):
        for sigma in SIGMAS:
            smooth = ndimage.gaussian_filter(band, sigma) if sigma else band
            found.append(smooth)
            if sigma:
                found.append(np.hypot(*np.gradient(smooth)))
    inner = slice(margin, -margin)
    return np.stack([one[inner, inner] for one in found], axis=-1).astype(np.float32)
