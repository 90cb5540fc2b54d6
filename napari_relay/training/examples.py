"""Examples a model learns from: both crops of a place, with its labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.crops import CropPair, read_crop_pair
from napari_relay.training.augmentation import Augmentation
from napari_relay.training.labels import Labels, LabelSource
from relay_tokens import IGNORE_INDEX, ModelMetadata, RelayConfig

COLOR_BANDS = ("red", "green", "blue")


class Example(NamedTuple):
    """One place as a model sees it, with its labels."""

    crops: CropPair
    """Normalised local and global crop."""
    labels: Labels
    """``(crop, crop)``; 255 where the local crop has no label or no data."""


class Batch(NamedTuple):
    """Examples as tensors."""

    local: Tensor
    """``(B, band, crop, crop)`` float32, normalised."""
    global_: Tensor | None
    """The same shape; None for a single-scale model."""
    labels: Tensor
    """``(B, crop, crop)`` int64, class or 255."""

    def to(self, device: torch.device) -> Batch:
        """Copy to a device."""
        wide = None if self.global_ is None else self.global_.to(device)
        return Batch(self.local.to(device), wide, self.labels.to(device))


@dataclass(frozen=True)
class ExampleReader:
    """Reads examples of one image."""

    image: PyramidImage
    """Where the pixels come from."""
    labels: LabelSource
    """Where the classes come from."""
    config: RelayConfig
    """The model's: crop size and context factor."""
    metadata: ModelMetadata
    """The model's: normalisation."""

    def read(self, window: Window) -> Example:
        """Read the example at a square window.

        One of ``crop_size`` rows and columns is read as it is; of another size,
        both crops are resampled and the labels are those nearest.
        """
        crops = read_crop_pair(self.image, window, self.config, self.metadata)
        labels = nearest(self.labels.read(window), self.config.crop_size)
        return Example(crops, np.where(crops.valid, labels, IGNORE_INDEX).astype(np.uint8))


def has_colors(bands: Sequence[str]) -> bool:
    """Whether the bands are red, green and blue, whose balance may vary."""
    return tuple(name.lower() for name in bands[:3]) == COLOR_BANDS


def nearest(labels: Labels, size: int) -> Labels:
    """Labels at the middles of ``size`` × ``size`` pixels over a square array."""
    if len(labels) == size:
        return labels
    middles = ((np.arange(size) + 0.5) * len(labels) / size).astype(np.intp)
    return labels[np.ix_(middles, middles)]


def collate(examples: Sequence[Example]) -> Batch:
    """Stack examples into a batch."""
    local = torch.from_numpy(np.stack([e.crops.local for e in examples]))
    wide = [e.crops.global_ for e in examples if e.crops.global_ is not None]
    labels = torch.from_numpy(np.stack([e.labels for e in examples]).astype(np.int64))
    return Batch(local, torch.from_numpy(np.stack(wide)) if wide else None, labels)


def augment(example: Example, augmentation: Augmentation) -> Example:
    """Change both crops and the labels alike."""
    crops = example.crops
    wide = None if crops.global_ is None else augmentation.apply(crops.global_)
    moved = CropPair(augmentation.apply(crops.local), wide, augmentation.move(crops.valid))
    return Example(moved, augmentation.move(example.labels))
