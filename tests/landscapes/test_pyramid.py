from __future__ import annotations

import numpy as np
import pytest

from napari_relay.geometry import Window
from napari_relay.images.halving import halve
from napari_relay.landscapes import (
    LANDSCAPE_CLASSES,
    Landscape,
    LandscapeLabels,
    landscape_image,
)
from napari_relay.training.sampling import ExampleReader
from relay_tokens import ModelMetadata, RelayConfig

LAND = Landscape(seed=4, size=(1100, 1301))


@pytest.fixture(scope="module")
def image():
    return landscape_image(LAND)


def test_an_image_has_bands_levels_and_a_place(image):
    assert image.bands == ("red", "green", "blue", "elevation")
    assert image.factors == (1.0, 2.0, 4.0)
    assert [level.shape for level in image.levels] == [
        (1100, 1301, 4),
        (550, 651, 4),
        (275, 326, 4),
    ]
    assert (image.pixel_size, image.unit, image.crs) == ((0.5, 0.5), "m", "EPSG:32648")
    assert image.affine == (0.5, 0.0, 370_000.0, 0.0, -0.5, 1_490_000.0)


def test_level_0_is_the_landscape(image):
    window = Window(200, 240, 100, 60)
    pixels, patch = image.read(window).pixels, LAND.read(window)
    np.testing.assert_array_equal(pixels[..., :3], patch.rgb)
    np.testing.assert_array_equal(pixels[..., 3], patch.elevation)


@pytest.mark.parametrize("level", [1, 2])
def test_levels_up_to_4_are_means_also_at_the_edge(image, level):
    window = Window(1000, 1200, 100, 101)
    expected = image.read(window).pixels
    for _ in range(level):
        expected = halve(expected)
    factor = 2**level
    rows, cols = slice(1000 // factor, None), slice(1200 // factor, None)
    corner = image.levels[level][rows, cols].compute(scheduler="synchronous")
    np.testing.assert_allclose(corner, expected, atol=1e-4)


def test_levels_beyond_4_are_nearly_means():
    image = landscape_image(Landscape(seed=4, size=(4096, 4096)))
    window = Window(512, 512, 512, 512)
    coarse, mean = image.read(window, 3).pixels, image.read(window).pixels
    for _ in range(3):
        mean = halve(mean)
    difference = np.abs(coarse - mean).mean(axis=(0, 1))
    assert (difference < (8, 8, 8, 0.1)).all()
    assert np.corrcoef(coarse[..., 1].ravel(), mean[..., 1].ravel())[0, 1] > 0.9


def test_there_are_no_labels_outside_the_landscape():
    labels = LandscapeLabels(LAND).read(Window(-10, 1291, 20, 20))
    assert (labels[10:, :10] == LAND.read_labels(Window(0, 1291, 10, 10))).all()
    assert (labels[:10] == 255).all()
    assert (labels[:, 10:] == 255).all()
    assert (LandscapeLabels(LAND).read(Window(-50, -50, 9, 9)) == 255).all()


def test_training_reads_image_and_labels_without_files(image):
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
