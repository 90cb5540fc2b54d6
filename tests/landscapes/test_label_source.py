from __future__ import annotations

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images import landscape_image
from napari_relay.landscapes import LANDSCAPE_CLASSES, Landscape, LandscapeLabels
from napari_relay.training.examples import ExampleReader
from relay_tokens import ModelMetadata, RelayConfig

LAND = Landscape(seed=4, size=(1100, 1301))


def test_there_are_no_labels_outside_the_landscape():
    labels = LandscapeLabels(LAND).read(Window(-10, 1291, 20, 20))
    assert (labels[10:, :10] == LAND.read_labels(Window(0, 1291, 10, 10))).all()
    assert (labels[:10] == 255).all()
    assert (labels[:, 10:] == 255).all()
    assert (LandscapeLabels(LAND).read(Window(-50, -50, 9, 9)) == 255).all()


def test_training_reads_image_and_labels_without_files():
    image = landscape_image(LAND)
    config = RelayConfig("vit_tiny_patch16_224", num_classes=4, in_channels=4, crop_size=64)
    metadata = ModelMetadata(
        name="land", classes=LANDSCAPE_CLASSES, bands=image.bands, mean=(0.0,) * 4, std=(1.0,) * 4
    )
    labels = LandscapeLabels(LAND)
    window = Window(500, 600, 64, 64)
    crops, read = ExampleReader(image, labels, config, metadata).read(window)
    assert crops.global_.shape == (4, 64, 64)
    np.testing.assert_array_equal(crops.local[3], LAND.read(window).elevation)
    np.testing.assert_array_equal(read, LAND.read_labels(window))
    assert labels.classes.names == ("background", "mound", "hydrology", "temple")
