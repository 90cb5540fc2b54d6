"""Crops in an image's own values, to show and test an exported model with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_relay.training.base_tiles import read_base_tiles
from relay_tokens import Checkpoint, ModelMetadata, RelayConfig


@dataclass(frozen=True)
class InputScaling:
    """``(value - mean) / std`` of each band: the part of a normalisation that is fixed."""

    mean: tuple[float, ...]
    """0 where it is taken from the image or from the global crop."""
    std: tuple[float, ...]
    """1 where it is taken from the image."""

    @classmethod
    def of(cls, metadata: ModelMetadata) -> InputScaling:
        """What remains to be done to values whose own mean was taken off as it must be."""
        words = metadata.band_normalization
        mean = (m if w == "fixed" else 0.0 for m, w in zip(metadata.mean, words, strict=True))
        std = (1.0 if w == "image" else s for s, w in zip(metadata.std, words, strict=True))
        return cls(tuple(mean), tuple(std))

    def undone(self, crop: NDArray[np.float32]) -> NDArray[np.float32]:
        """Values ``(band, rows, cols)`` of which scaling makes ``crop``."""
        mean, std = (np.array(v, np.float32)[:, None, None] for v in (self.mean, self.std))
        values: NDArray[np.float32] = crop * std + mean
        return values


def sample_crops(checkpoint: Checkpoint, training_tiles: bool) -> tuple[NDArray[np.float32], ...]:
    """One crop an input, each ``(1, band, crop, crop)``, in values before scaling.

    Parameters
    ----------
    checkpoint
        The model.
    training_tiles
        Whether it may be a tile of its training data; else, and where it has none, it
        is smooth noise.
    """
    scaling = InputScaling.of(checkpoint.metadata)
    pair = _tile(checkpoint) if training_tiles else None
    if pair is None:
        pair = _noise(checkpoint.model.config)
    return tuple(scaling.undone(crop)[None] for crop in pair)


def _tile(checkpoint: Checkpoint) -> tuple[NDArray[np.float32], ...] | None:
    """The tile that shows most classes."""
    tiles = read_base_tiles(checkpoint.base_tiles, checkpoint.model.config)
    examples = (*tiles.measured, *tiles.learnt)
    if not examples:
        return None
    crops = max(examples, key=lambda example: len(np.unique(example.labels))).crops
    return (crops.local,) if crops.global_ is None else (crops.local, crops.global_)


def _noise(config: RelayConfig) -> tuple[NDArray[np.float32], ...]:
    """Normalised noise, always the same; the local crop is the middle of the global one."""
    size, factor = config.crop_size, config.context_factor or 1
    random = np.random.default_rng(0).normal(size=(config.in_channels, size, size))
    smooth = gaussian_filter(random, (0, size / 32, size / 32))
    wide = (smooth / smooth.std()).astype(np.float32)
    if config.context_factor is None:
        return (wide,)
    first, side = (size - size // factor) // 2, -(-size // factor)
    middle = wide[:, first : first + side, first : first + side]
    local = middle.repeat(factor, axis=1).repeat(factor, axis=2)[:, :size, :size]
    return np.ascontiguousarray(local), wide
