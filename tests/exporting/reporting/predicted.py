"""A small prediction whose classes are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions, predict
from relay_tokens import ClassSchema
from tests.inference.samples import make_image, value_checkpoint

CLASSES = ClassSchema.from_names(["soil", "mound", "moat"])
UTM = {
    "pixel_size": (0.5, 0.5),
    "unit": "m",
    "crs": "EPSG:32648",
    "affine": (0.5, 0.0, 400_000.0, 0.0, -0.5, 1_500_000.0),
}
"""Half a metre a pixel: a pixel is 0.25 m²."""


def blobs(height: int = 200, width: int = 1100) -> np.ndarray:
    """Blocks of 40 × 70 px, in turn of class 0, 1 and 2."""
    rows, cols = np.mgrid[:height, :width]
    return ((rows // 40 + cols // 70) % 3).astype(np.uint8)


def predict_blobs(
    folder: Path, windows: list[Window] | None = None, **fields: object
) -> tuple[PredictionStore, PyramidImage]:
    """A store that holds :func:`blobs` in ``windows``, and its image."""
    image = make_image(blobs()[..., None], **fields)
    checkpoint, options = value_checkpoint(3, crop_size=256), PredictOptions(device="cpu")
    store = PredictionStore.create(folder, image, checkpoint, options)
    list(predict(checkpoint, image, store, windows, options))
    return store, image


def labels_of(store: PredictionStore, image: PyramidImage) -> np.ndarray:
    """All labels, 255 where nothing is predicted."""
    return store.read_labels(image.window)
