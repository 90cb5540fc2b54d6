from __future__ import annotations

import numpy as np
import pytest

from napari_relay.geometry import Window
from napari_relay.images.halving import halve
from napari_relay.tissues import GLEASON_CLASSES, TissueCore, TissueLabels, tissue_image
from relay_tokens import IGNORE_INDEX

CORE = TissueCore(seed=2, diameter_px=1001)


@pytest.fixture(scope="module")
def image():
    return tissue_image(CORE)


def test_an_image_has_colours_levels_and_a_pixel_size(image):
    assert image.bands == ("red", "green", "blue")
    assert image.factors == (1.0, 2.0, 4.0)
    assert [level.shape for level in image.levels] == [
        (1083, 1083, 3),
        (542, 542, 3),
        (271, 271, 3),
    ]
    assert (image.pixel_size, image.unit) == ((0.5, 0.5), "um")


def test_an_image_says_that_it_is_synthetic(image):
    assert image.synthetic == "tissue core, seed 2"
    assert "synthetic" in str(image.source)


def test_level_0_is_the_core(image):
    window = Window(300, 240, 40, 60)
    np.testing.assert_array_equal(image.read(window).pixels, CORE.read(window).rgb)


def test_coarser_levels_are_means_also_at_the_edge(image):
    expected = CORE.read(Window(512, 768, 571, 315)).rgb
    for level in (1, 2):
        expected = halve(expected)
        corner = image.levels[level][512 // 2**level :, 768 // 2**level :]
        np.testing.assert_array_equal(corner.compute(scheduler="synchronous"), expected)


def test_there_are_no_labels_outside_the_image():
    labels = TissueLabels(CORE)
    read = labels.read(Window(-10, 1073, 20, 20))
    assert (read[:10] == IGNORE_INDEX).all()
    assert (read[:, 10:] == IGNORE_INDEX).all()
    assert (read[10:, :10] == CORE.read_labels(Window(0, 1073, 10, 10))).all()
    assert (labels.read(Window(-50, -50, 9, 9)) == IGNORE_INDEX).all()
    assert labels.classes is GLEASON_CLASSES
