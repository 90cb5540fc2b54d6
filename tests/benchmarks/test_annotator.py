"""A simulated person paints inside mistakes, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from benchmarks.annotator import Annotator
from napari_relay.geometry import Window

SIDE = 256
NOWHERE = np.zeros((SIDE, SIDE), bool)


def scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Smooth random truth of three classes, and a prediction that is wrong in places."""
    rng = np.random.default_rng(seed)
    truth, predicted = (
        np.digitize(ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), 12), (-0.01, 0.012))
        for _ in range(2)
    )
    truth = truth.astype(np.uint8)
    truth[:20, :20] = 255
    return truth, np.where(rng.random() < 0.5, predicted, (truth + 1) % 3).astype(np.uint8)


def annotator(truth: np.ndarray, brush: int = 20, reach: int = 60) -> Annotator:
    return Annotator(truth, brush, reach)


@pytest.mark.parametrize("seed", range(4))
def test_every_painted_pixel_is_wrong_and_gets_its_true_class(seed):
    truth, predicted = scene(seed)
    for made in annotator(truth).correct_worst(predicted, NOWHERE, 10):
        painted = made.labels != 255
        assert painted.any()
        np.testing.assert_array_equal(made.labels[painted], truth[made.window.slices][painted])
        assert (predicted[made.window.slices][painted] != made.labels[painted]).all()


@pytest.mark.parametrize("seed", range(4))
def test_a_correction_has_one_class_and_fits_into_the_reach(seed):
    truth, predicted = scene(seed)
    for made in annotator(truth).correct_worst(predicted, NOWHERE, 10):
        assert len(np.unique(made.labels[made.labels != 255])) == 1
        assert max(made.window.height, made.window.width) <= 60 + 2


def test_corrections_of_a_round_are_apart_and_not_more_than_asked_for():
    truth, predicted = scene(3)
    made = annotator(truth).correct_worst(predicted, NOWHERE, 4)
    assert 1 < len(made) <= 4
    for number, one in enumerate(made):
        assert not any(one.window.intersects(other.window) for other in made[:number])


def test_what_is_corrected_already_is_left_alone():
    truth, predicted = scene(4)
    corrected = np.zeros((SIDE, SIDE), bool)
    corrected[:, : SIDE // 2] = True
    made = annotator(truth).correct_worst(predicted, corrected, 10)
    assert made
    assert all(one.window.x0 >= SIDE // 2 for one in made)


def test_the_largest_mistake_comes_first():
    truth = np.zeros((SIDE, SIDE), np.uint8)
    predicted = truth.copy()
    predicted[10:30, 10:30] = 1
    predicted[100:180, 100:180] = 1
    (first, *_) = annotator(truth).correct_worst(predicted, NOWHERE, 2)
    assert first.window.intersects(Window(100, 100, 80, 80))


def test_a_stroke_is_a_brush_wide_and_no_longer_than_its_reach():
    truth = np.zeros((SIDE, SIDE), np.uint8)
    (stroke,) = annotator(truth).correct_worst(np.ones_like(truth), NOWHERE, 1)
    height, width = sorted(stroke.window[2:])
    assert height == pytest.approx(20, abs=2)
    assert width == pytest.approx(60, abs=2)


def test_every_third_correction_is_a_polygon_up_to_the_border_of_the_mistake():
    truth = np.zeros((SIDE, SIDE), np.uint8)
    predicted = truth.copy()
    for corner, side in ((10, 48), (100, 44), (190, 40)):
        predicted[corner : corner + side, corner : corner + side] = 1
    *_, polygon = annotator(truth).correct_worst(predicted, NOWHERE, 3)
    assert (polygon.labels == 0).sum() > 0.8 * (40 - 4) ** 2


def test_slivers_along_borders_are_no_mistake_worth_a_stroke():
    truth = np.zeros((SIDE, SIDE), np.uint8)
    predicted = truth.copy()
    predicted[50:53] = 1
    assert annotator(truth).correct_worst(predicted, NOWHERE, 10) == []


def test_a_person_agrees_with_a_place_that_is_right_and_corrects_one_that_is_not():
    truth = np.zeros((SIDE, SIDE), np.uint8)
    predicted = truth.copy()
    predicted[128:192, 128:192] = 1
    right, wrong = Window(0, 0, 64, 64), Window(128, 128, 64, 64)
    agreed, corrected = annotator(truth).correct_places(predicted, NOWHERE, [right, wrong])
    assert agreed.window == right
    assert (agreed.labels == 0).all()
    assert corrected.window.intersection(wrong) == corrected.window


def test_nothing_is_said_of_pixels_whose_class_nobody_knows():
    truth = np.full((SIDE, SIDE), 255, np.uint8)
    predicted = np.zeros_like(truth)
    assert annotator(truth).correct_worst(predicted, NOWHERE, 10) == []
    (agreed,) = annotator(truth).correct_places(predicted, NOWHERE, [Window(0, 0, 64, 64)])
    assert (agreed.labels == 255).all()
