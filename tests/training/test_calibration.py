from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_calibration_error

from napari_relay.training.calibration import BINS, Calibration, bin_middles


def guesses(seed: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Labels, some of them 255, and probabilities ``(pixel, class)`` of three classes."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 2, 255], count)
    return labels, rng.dirichlet([0.4, 0.5, 0.6], count).astype(np.float32)


@given(st.integers(0, 1000))
def test_the_calibration_error_is_that_of_torchmetrics(seed: int) -> None:
    labels, probabilities = guesses(seed)
    sure, predicted = probabilities.max(axis=1), probabilities.argmax(axis=1)
    expected = multiclass_calibration_error(
        torch.from_numpy(probabilities),
        torch.from_numpy(labels),
        num_classes=3,
        n_bins=15,
        norm="l1",
        ignore_index=255,
    )
    assert Calibration.of(labels, predicted, sure).error == pytest.approx(float(expected), abs=1e-5)


def test_a_model_that_is_right_as_often_as_it_says_has_no_error() -> None:
    sure = np.repeat(0.8, 10)
    labels, predicted = np.zeros(10, int), np.array([0] * 8 + [1] * 2)
    assert Calibration.of(labels, predicted, sure).error == pytest.approx(0, abs=1e-12)


def test_a_model_that_is_sure_and_wrong_has_an_error_of_one() -> None:
    found = Calibration.of(np.zeros(5, int), np.ones(5, int), np.ones(5))
    assert found.error == 1
    assert found.pixels[-1] == 5
    assert found.accuracy[-1] == 0


def test_a_confidence_on_an_edge_belongs_to_the_lower_bin() -> None:
    edges = np.arange(1, BINS + 1) / BINS
    zeros = np.zeros(BINS, int)
    np.testing.assert_array_equal(Calibration.of(zeros, zeros, edges).pixels, 1)


def test_bins_lie_around_their_middles() -> None:
    zeros = np.zeros(BINS, int)
    found = Calibration.of(zeros, zeros, bin_middles())
    np.testing.assert_array_equal(found.pixels, 1)
    np.testing.assert_allclose(found.confidence, bin_middles())


def test_pixels_without_a_label_do_not_count() -> None:
    found = Calibration.of(np.full(4, 255), np.zeros(4, int), np.full(4, 0.5))
    assert found.pixels.sum() == 0
    assert np.isnan(found.error)
    assert np.isnan(found.accuracy).all()
