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
    precision = torchmetrics.multiclass_precision(*pair, num_classes=4, average="none")
    recall = torchmetrics.multiclass_recall(*pair, num_classes=4, average="none")
    assert scores.miou == pytest.approx(float(iou), abs=1e-6)
    np.testing.assert_allclose(scores.f1, f1.numpy(), atol=1e-6)
    np.testing.assert_allclose(scores.precision, precision.numpy(), atol=1e-6)
    np.testing.assert_allclose(scores.recall, recall.numpy(), atol=1e-6)


@given(pixels, guesses)
def test_shares_of_the_classes_add_up_to_one(labels: np.ndarray, predicted: np.ndarray) -> None:
    scores = Scores(confusion_matrix(labels, predicted, 3))
    assert scores.pixels == (labels != 255).sum()
    if scores.pixels:
        assert scores.share.sum() == pytest.approx(1)
        assert scores.share[1] == pytest.approx((labels == 1).sum() / scores.pixels)


@given(pixels, guesses, pixels, guesses)
def test_scores_of_two_parts_add_up_to_those_of_both(
    labels: np.ndarray, predicted: np.ndarray, more_labels: np.ndarray, more_predicted: np.ndarray
) -> None:
    sure = np.linspace(0, 1, labels.size, dtype=np.float32).reshape(labels.shape)
    both = np.concatenate([labels, more_labels]), np.concatenate([predicted, more_predicted])
    whole = Scores.of(*both, np.concatenate([sure, sure[::-1]]), 3)
    parts = Scores.of(labels, predicted, sure, 3)
    parts += Scores.of(more_labels, more_predicted, sure[::-1], 3)
    np.testing.assert_array_equal(parts.confusion, whole.confusion)
    assert parts.calibration_error == pytest.approx(whole.calibration_error, nan_ok=True)


def test_scores_that_were_not_calibrated_have_no_calibration_error() -> None:
    plain = Scores(np.eye(2, dtype=np.int64))
    assert np.isnan(plain.calibration_error)
    labels = np.zeros(3, int)
    assert (plain + Scores.of(labels, labels, np.ones(3), 2)).calibration is None


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
    got = estimate_normalization(
        [(image, [Window(0, 0, 200, 100)]), (image, [Window(0, 100, 200, 100)])]
    )
    assert got.mean[0] == pytest.approx(values[20:].mean(), abs=1e-3)
    assert got.std[0] == pytest.approx(values[20:].std(), rel=1e-3)


def test_local_normalisation_leaves_the_height_of_the_place_out() -> None:
    steps = np.repeat([0.0, 1000.0], 100)[:, None, None] + np.zeros((1, 200, 1))
    noise = np.random.default_rng(0).normal(0, 2, size=(200, 200, 1))
    image = pyramid((steps + noise).astype(np.float32))
    windows = [Window(0, 0, 100, 200), Window(100, 0, 100, 200)]
    assert estimate_normalization([(image, windows)], "local").std[0] == pytest.approx(2, rel=0.05)
    assert estimate_normalization([(image, windows)], "fixed").std[0] == pytest.approx(
        500, rel=0.05
    )


def test_an_image_without_data_cannot_be_normalised() -> None:
    image = pyramid(np.full((64, 64, 1), -1, np.float32), nodata=-1.0)
    with pytest.raises(UserError, match=r"tiny\.tif"):
        estimate_normalization([(image, [image.window])])
