"""A faded core is the same tissue in other colours."""

from __future__ import annotations

import hashlib

import numpy as np

from napari_relay.geometry import Window
from napari_relay.tissues import Staining, TissueCore, tissue_image

HERE = Window(200, 200, 150, 150)
FRESH, FADED = (TissueCore(3, 512, staining) for staining in Staining)


def test_the_usual_staining_has_the_pixels_it_always_had():
    assert TissueCore(3, 512) == FRESH
    found = hashlib.sha256(FRESH.read(HERE).labels.tobytes()).hexdigest()
    assert found.startswith("8aae7409e506e8bb")
    np.testing.assert_allclose(
        FRESH.read(HERE).rgb.mean(axis=(0, 1)), (179.70, 153.39, 186.34), atol=0.05
    )


def test_fading_changes_colours_and_nothing_else():
    fresh, faded = FRESH.read(HERE), FADED.read(HERE)
    np.testing.assert_array_equal(fresh.labels, faded.labels)
    assert np.abs(fresh.rgb.astype(int) - faded.rgb).mean() > 8


def test_the_glass_of_an_old_slide_is_yellowed():
    corner = Window(0, 0, 8, 8)
    fresh, faded = (core.read(corner).rgb.mean(axis=(0, 1)) for core in (FRESH, FADED))
    assert np.ptp(fresh) < 5
    assert faded[0] - faded[2] > 20


def test_a_faded_core_is_told_from_the_same_core_fresh():
    assert tissue_image(FRESH).synthetic == "tissue core, seed 3"
    assert tissue_image(FADED).synthetic == "tissue core, seed 3, faded"
