"""Tiny predictions of images whose pixels are their classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.placement import Placement
from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions, predict
from relay_tokens import ClassSchema
from tests.inference.samples import make_image, value_checkpoint

CLASSES = ClassSchema.from_names(["soil", "mound é", "moat"])
UTM = Placement((0.5, 0.5), "m", "EPSG:32648", (0.5, 0.0, 400_000.0, 0.0, -0.5, 1_500_000.0))
GEOGRAPHIC = Placement((1e-5, 1e-5), "degree", "EPSG:4326", (1e-5, 0.0, 103.8, 0.0, -1e-5, 13.4))
ROTATED = Placement((0.5, 0.5), "m", "EPSG:32648", (0.4, 0.3, 400_000.0, 0.3, -0.4, 1_500_000.0))
SOUTH_UP = Placement((0.5, 0.5), "m", "EPSG:32648", (0.5, 0.0, 400_000.0, 0.0, 0.5, 1_499_000.0))
SLIDE = Placement((0.25, 0.5), "um")
PLACES = {"utm": UTM, "degrees": GEOGRAPHIC, "rotated": ROTATED, "south up": SOUTH_UP}

Predicted = Callable[..., tuple[PredictionStore, PyramidImage]]
"""Gives the prediction of an image at a place."""


def blobs(height: int, width: int) -> NDArray[np.uint8]:
    """Three classes in rectangles."""
    rows, cols = np.mgrid[:height, :width]
    return ((rows // 40 + cols // 70) % 3).astype(np.uint8)


def noise(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """A class by chance in each pixel, and some without."""
    labels = np.random.default_rng(seed).integers(0, 4, (height, width)).astype(np.uint8)
    return np.where(labels == 3, 255, labels).astype(np.uint8)


def make_prediction(
    folder: Path, placement: Placement | None = None, *, probabilities: bool = True
) -> tuple[PredictionStore, PyramidImage]:
    """A store of 200 × 1100 pixels, its last columns not predicted."""
    fields = vars(placement) if placement else {}
    image = make_image(blobs(200, 1100)[..., None], **fields)
    checkpoint = value_checkpoint(3, crop_size=256)
    options = PredictOptions(device="cpu", probabilities=probabilities)
    store = PredictionStore.create(folder, image, checkpoint, options)
    list(predict(checkpoint, image, store, [Window(0, 0, 200, 900)], options))
    return store, image
