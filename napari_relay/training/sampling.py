"""Training examples drawn from an image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.crops import CropPair, read_crop_pair
from napari_relay.training.augmentation import Augmentation, random_augmentation
from napari_relay.training.labels import Labels, LabelSource
from napari_relay.training.splits import SpatialSplit
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
        """Read the example at a window of ``crop_size`` rows and columns."""
        crops = read_crop_pair(self.image, window, self.config, self.metadata)
        labels = np.where(crops.valid, self.labels.read(window), IGNORE_INDEX)
        return Example(crops, labels.astype(np.uint8))

    @property
    def has_colors(self) -> bool:
        """Whether the bands are red, green and blue, whose balance may vary."""
        return tuple(name.lower() for name in self.metadata.bands[:3]) == COLOR_BANDS


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


class ClassPlaces:
    """Some pixels of each class, found in windows spread over the training area.

    Parameters
    ----------
    labels
        Read once in every window.
    windows
        Where to look.
    rng
        Decides which pixels are kept.
    kept
        Pixels kept of each class in each window.
    """

    def __init__(
        self,
        labels: LabelSource,
        windows: Sequence[Window],
        rng: np.random.Generator,
        kept: int = 64,
    ) -> None:
        found: dict[int, list[NDArray[np.intp]]] = {}
        for window in windows:
            values = labels.read(window)
            for value in np.unique(values[values != IGNORE_INDEX]):
                places: NDArray[np.intp] = np.argwhere(values == value)
                chosen = rng.choice(places, min(kept, len(places)), replace=False)
                found.setdefault(int(value), []).append(chosen + np.array([window.y0, window.x0]))
        self.pixels: Mapping[int, NDArray[np.intp]] = {
            value: np.concatenate(found[value]) for value in sorted(found)
        }

    def draw(self, rng: np.random.Generator) -> tuple[int, int]:
        """Draw a class, each alike, then one of its pixels ``(row, col)``."""
        value = rng.choice(list(self.pixels))
        y, x = rng.choice(self.pixels[int(value)])
        return int(y), int(x)


class CropSampler:
    """Draws random training crops outside the held-out blocks.

    Half of the crops are centred on a pixel of a class drawn evenly from those
    present, moved by up to a quarter of a crop; the other half lie anywhere.
    What a batch holds depends on the seed and its number alone, so training can
    be resumed at any step.

    Parameters
    ----------
    reader
        Reads the examples.
    split
        Says where crops may lie.
    seed
        Of all random choices.
    color_jitter
        Strength of the colour augmentation of RGB images.
    """

    def __init__(
        self, reader: ExampleReader, split: SpatialSplit, seed: int, color_jitter: float = 0.3
    ) -> None:
        self.reader = reader
        self.split = split
        self.seed = seed
        self.color_jitter = color_jitter if reader.has_colors else 0.0
        rng = np.random.default_rng([seed, 0])
        windows = [self._anywhere(rng) for _ in range(128)]
        self.places = ClassPlaces(reader.labels, windows, rng)

    def batch(self, number: int, size: int) -> Batch:
        """Read batch ``number`` (0, 1, ...) of ``size`` augmented examples."""
        rng = np.random.default_rng([self.seed, 1, number])
        return collate([self._example(rng) for _ in range(size)])

    def window(self, rng: np.random.Generator) -> Window:
        """Draw where a crop lies."""
        if not self.places.pixels or rng.random() < 0.5:
            return self._anywhere(rng)
        for _ in range(20):
            window = self._around(self.places.draw(rng), rng)
            if self.split.allows(window):
                return window
        return self._anywhere(rng)

    def _example(self, rng: np.random.Generator) -> Example:
        example = self.reader.read(self.window(rng))
        bands = len(self.reader.metadata.bands)
        return augment(example, random_augmentation(rng, bands, self.color_jitter))

    def _anywhere(self, rng: np.random.Generator) -> Window:
        """Draw a window whose middle lies in the image; the split leaves room for one."""
        for _ in range(1000):
            y, x = rng.integers((self.split.image.height, self.split.image.width))
            window = self._centred(int(y), int(x))
            if self.split.allows(window):
                return window
        raise RuntimeError(f"no training crop found beside {len(self.split.held_out)} blocks")

    def _around(self, pixel: tuple[int, int], rng: np.random.Generator) -> Window:
        reach = self.split.crop_size // 4
        dy, dx = rng.integers(-reach, reach + 1, size=2)
        return self._centred(pixel[0] + int(dy), pixel[1] + int(dx))

    def _centred(self, y: int, x: int) -> Window:
        side = self.split.crop_size
        return Window(y - side // 2, x - side // 2, side, side)
