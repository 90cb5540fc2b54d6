"""Tiny images, labels and models the tests of this folder share."""

from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_relay.images import PyramidImage
from napari_relay.training import ArrayLabels
from relay_tokens import ClassSchema, ModelMetadata, RelayConfig, RelaySegmenter

CLASSES = ClassSchema.from_names(["dark", "light", "red"])


def pyramid(pixels: NDArray[np.generic], **about: object) -> PyramidImage:
    """An image of two levels over an array ``(y, x, band)``."""
    bands = ("red", "green", "blue") if pixels.shape[2] == 3 else ("elevation",)
    levels = tuple(da.from_array(a, chunks=(64, 64, -1)) for a in (pixels, pixels[::2, ::2]))
    return PyramidImage(levels, (1.0, 2.0), bands, Path("tiny.tif"), **about)  # type: ignore[arg-type]


def blobs(side: int = 320, seed: int = 0) -> tuple[PyramidImage, ArrayLabels]:
    """Squares of three colours: an image whose classes are easy to learn."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 3, size=(side // 16, side // 16)).repeat(16, 0).repeat(16, 1)
    colors = np.array([[40, 40, 40], [220, 220, 220], [200, 40, 40]])
    noise = rng.normal(0, 10, size=(side, side, 3))
    pixels = np.clip(colors[classes] + noise, 0, 255).astype(np.uint8)
    return pyramid(pixels), ArrayLabels(classes.astype(np.uint8))


def tiny_model(context_factor: int | None = 2) -> RelaySegmenter:
    """A relay ViT of a few ten thousand parameters."""
    options = {"embed_dim": 48, "depth": 2, "num_heads": 3}
    config = RelayConfig(
        "vit_tiny_patch16_224",
        num_classes=3,
        crop_size=64,
        context_factor=context_factor,
        backbone_options=options,
    )
    return RelaySegmenter(config)


METADATA = ModelMetadata("tiny", CLASSES, ("red", "green", "blue"), (120.0,) * 3, (80.0,) * 3)
