from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from napari_relay.geometry import Window
from napari_relay.training import Scores, confusion_matrix, estimate_normalization
from relay_tokens import UserError
from tests.training.scenes import pyramid

pixels = arrays(np.uint8, (6, 7), elements=st.sampled_from([0, 1, 2, 255]))
guesses = arrays(np.uint8, (6, 7), elements=st.integers(0, 2))


@given(pixels, guesses)
def test_iou_is_the_overlap_of_two_sets_of_pixels(
    labels: np.ndarray, predicted: np.ndarray
) -> None:
    scores = Scores(confusion_matrix(labels, predicted, 3))
    kept = labels != 255
    for value in range(3):
        one, other = (labels == value) & kept, (predicted == value) & kept
        union = (one | other).sum()
        expected = (one & other).sum() / union if union else np.nan
        assert scores.iou[value] == pytest.approx(expected, nan_ok=True)


def test_scores_agree_with_torchmetrics() -> None:
    torchmetrics = pytest.importorskip("torchmetrics.functional.classification")
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 4, 500), rng.integers(0, 4, 500)
    scores = Scores(confusion_matrix(labels, predicted, 4))
    pair = torch.from_numpy(predicted), torch.from_numpy(labels)
    iou = torchmetrics.multiclass_jaccard_index(*pair, num_classes=4)
    f1 = torchmetrics.multiclass_f1_score(*pair, num_classes=4, average="none")
    assert scores.miou == pytest.approx(float(iou), abs=1e-6)
    np.testing.assert_allclose(scores.f1, f1.numpy(), atol=1e-6)


def test_a_class_that_does_not_occur_is_left_out_of_the_mean() -> None:
    labels = np.array([0, 0, 1, 1])
    scores = Scores(confusion_matrix(labels, np.array([0, 0, 1, 0]), 3))
    assert np.isnan(scores.iou[2])
    assert scores.miou == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_a_class_that_is_only_predicted_by_mistake_is_no_class_of_its_own() -> None:
    labels = np.zeros(10, int)
    scores = Scores(confusion_matrix(labels, np.array([0] * 9 + [1]), 3))
    assert scores.miou == pytest.approx(0.9)


def test_nothing_labelled_has_no_score() -> None:
    scores = Scores(confusion_matrix(np.full(5, 255), np.zeros(5, int), 2))
    assert np.isnan(scores.miou)
    assert np.isnan(scores.accuracy)


def test_normalisation_is_mean_and_spread_of_valid_pixels() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(50, 7, size=(200, 200, 1)).astype(np.float32)
    values[:20] = -9999
    image = pyramid(values, nodata=-9999.0)
    got = estimate_normalization(image, [Window(0, 0, 200, 100), Window(0, 100, 200, 100)])
    assert got.mean[0] == pytest.approx(values[20:].mean(), abs=1e-3)
    assert got.std[0] == pytest.approx(values[20:].std(), rel=1e-3)


def test_local_normalisation_leaves_the_height_of_the_place_out() -> None:
    steps = np.repeat([0.0, 1000.0], 100)[:, None, None] + np.zeros((1, 200, 1))
    noise = np.random.default_rng(0).normal(0, 2, size=(200, 200, 1))
    image = pyramid((steps + noise).astype(np.float32))
    windows = [Window(0, 0, 100, 200), Window(100, 0, 100, 200)]
    assert estimate_normalization(image, windows, "local").std[0] == pytest.approx(2, rel=0.05)
    assert estimate_normalization(image, windows, "fixed").std[0] == pytest.approx(500, rel=0.05)


def test_an_image_without_data_cannot_be_normalised() -> None:
    image = pyramid(np.full((64, 64, 1), -1, np.float32), nodata=-1.0)
    with pytest.raises(UserError, match=r"tiny\.tif"):
        estimate_normalization(image, [image.window])
