from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.tissues import GLEASON_CLASSES, TissueCore
from napari_relay.training.datasets import gleason
from relay_tokens import UserError

CORE = TissueCore(seed=3, diameter_px=900)
WHOLE = Window(150, 200, 390, 350)
"""Parts of six tiles."""


@pytest.fixture(scope="module")
def whole():
    return TissueCore(seed=3, diameter_px=900).read(WHOLE)


@settings(deadline=None, max_examples=10)
@given(st.data())
def test_any_window_shows_the_same_pixels(whole, data):
    y0, x0 = data.draw(st.integers(0, WHOLE.height - 1)), data.draw(st.integers(0, WHOLE.width - 1))
    height = data.draw(st.integers(1, min(90, WHOLE.height - y0)))
    width = data.draw(st.integers(1, min(90, WHOLE.width - x0)))
    part = CORE.read(Window(WHOLE.y0 + y0, WHOLE.x0 + x0, height, width))
    for alone, of_whole in zip(part, whole, strict=True):
        np.testing.assert_array_equal(alone, of_whole[y0 : y0 + height, x0 : x0 + width])


def test_labels_alone_are_those_of_the_whole(whole):
    np.testing.assert_array_equal(CORE.read_labels(WHOLE), whole.labels)


@pytest.mark.parametrize("axis", [0, 1])
def test_there_is_no_seam_between_tiles(whole, axis):
    border = 2 * 256 - WHOLE[axis] if axis == 0 else 256 - WHOLE.x0
    steps = np.abs(np.diff(whole.rgb.astype(np.float64), axis=axis)).mean(axis=(1 - axis, 2))
    around = steps[border - 12 : border + 11]
    assert steps[border - 1] < 1.5 * np.median(around)


def test_another_seed_is_another_core(whole):
    other = TissueCore(seed=4, diameter_px=900).read(WHOLE)
    assert (whole.rgb != other.rgb).any(axis=2).mean() > 0.9


def test_the_pixels_are_colours_and_the_labels_classes(whole):
    assert [part.dtype for part in whole] == [np.uint8, np.uint8]
    assert whole.rgb.shape == (WHOLE.height, WHOLE.width, 3)
    assert whole.labels.max() < len(GLEASON_CLASSES)


def test_stroma_is_pink_and_nuclei_are_blue(whole):
    red, green, blue = whole.rgb.reshape(-1, 3).astype(int).T
    dark = red < 130
    assert 0.02 < dark.mean() < 0.4
    assert (blue[dark] > red[dark]).mean() > 0.9
    light = red > 190
    assert (red[light] >= green[light]).mean() > 0.9


def test_around_the_core_and_beyond_its_image_lies_glass_without_cancer():
    side = CORE.size[0]
    for window in (Window(0, 0, 60, 60), Window(side - 40, side - 40, 60, 60)):
        patch = CORE.read(window)
        assert patch.rgb.min() > 235
        assert not patch.labels.any()


def test_the_core_is_as_wide_as_asked():
    labels = CORE.read(Window(0, 0, *CORE.size)).rgb.min(axis=2) < 225
    cols, rows = np.flatnonzero(labels.any(axis=0)), np.flatnonzero(labels.any(axis=1))
    for found in (cols, rows):
        assert abs(found[-1] - found[0] - CORE.diameter_px) < 60


def test_every_four_cores_have_every_grade():
    counts = np.zeros(4)
    for seed in range(4):
        core = TissueCore(seed, 2048)
        labels = [core.read_labels(Window(y, x, 1, 1)) for y in (600, 1100) for x in (600, 1100)]
        counts += np.bincount(np.ravel(labels), minlength=4)
    assert (counts > 0).all()


def test_the_classes_are_those_of_gleason_2019():
    assert gleason.GLEASON_CLASSES is GLEASON_CLASSES
    assert GLEASON_CLASSES.names == ("benign", "grade 3", "grade 4", "grade 5")


def test_an_empty_window_is_empty():
    assert CORE.read(Window(5, 5, 0, 9)).labels.shape == (0, 9)


def peak_bytes(work) -> int:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_is_that_of_a_tile_and_of_what_is_returned():
    core = TissueCore(seed=1, diameter_px=4096)
    small, large = (
        peak_bytes(lambda n=n: core.read(Window(1024, 1024, 256, n))) for n in (256, 1024)
    )
    returned = 256 * (1024 - 256) * 4
    assert large < 1.3 * small + returned
    assert small < 64 * 2**20


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"seed": -1}, r"The core's seed is -1; choose 0 or more\."),
        ({"diameter_px": 200}, r"The core's diameter is 200 pixels; choose 256 to 8192\."),
        ({"diameter_px": 9000}, r"The core's diameter is 9000 pixels; choose 256 to 8192\."),
    ],
)
def test_what_is_out_of_range_is_refused_in_one_sentence(given_, sentence):
    with pytest.raises(UserError, match=sentence):
        TissueCore(**given_)
