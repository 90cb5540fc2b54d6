from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.inference import CropPair
from napari_relay.training.correction_loss import CorrectionLoss, excluded_loss
from napari_relay.training.correction_values import IGNORED, NOT_CLASS
from napari_relay.training.examples import Example
from napari_relay.training.lesson import LessonBatch, corrected_lesson, stack_lessons
from relay_tokens import RelayOutput

SIDE, CLASSES = 16, 3


def lessons_of(values: np.ndarray) -> LessonBatch:
    """One corrected crop, where the old model is sure of the first class everywhere."""
    crop = np.zeros((1, SIDE, SIDE), np.float32)
    example = Example(CropPair(crop, crop, np.ones((SIDE, SIDE), np.bool_)), values)
    belief = np.zeros((CLASSES, SIDE, SIDE), np.float32)
    belief[0] = 1
    return stack_lessons([corrected_lesson(example, belief)])


def gradient(values: np.ndarray) -> torch.Tensor:
    """Of the loss at every local logit, ``(class, row, col)``."""
    torch.manual_seed(0)
    logits = torch.randn(1, CLASSES, SIDE, SIDE, requires_grad=True)
    CorrectionLoss(None, 1.0, 1.0)(RelayOutput(logits), lessons_of(values), 0).backward()
    assert logits.grad is not None
    return logits.grad[0]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([IGNORED, 255]))
def test_nothing_is_learnt_of_pixels_that_nobody_speaks_of(seed: int, nothing: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.choice([0, 1, 2, NOT_CLASS, NOT_CLASS + 2, nothing], (SIDE, SIDE))
    values = values.astype(np.uint8)
    values[0, 0] = 1
    found = gradient(values).abs().sum(dim=0).numpy()
    # The crop is small: every pixel lies near a correction, where nothing is rehearsed.
    assert (found[values == nothing] == 0).all()
    assert (found[values != nothing] > 0).all()


def test_ignored_pixels_are_not_rehearsed_and_untouched_ones_are() -> None:
    values = np.full((SIDE, SIDE), 255, np.uint8)
    values[:8] = IGNORED
    found = gradient(values).abs().sum(dim=0).numpy()
    assert (found[:8] == 0).all()
    assert (found[8:] > 0).all()


def test_saying_what_it_is_not_lowers_that_probability_alone() -> None:
    logits = torch.tensor([[2.0, 1.0, 0.0]]).reshape(1, 3, 1, 1).requires_grad_()
    excluded_loss(logits, torch.zeros(1, 1, 1, dtype=torch.int64)).backward()
    assert logits.grad is not None
    down, *up = (-logits.grad).flatten().tolist()
    assert down < 0
    assert min(up) > 0


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_it_is_the_formula_of_the_paper(p: float) -> None:
    logits = torch.log(torch.tensor([p, (1 - p) / 2, (1 - p) / 2])).reshape(1, 3, 1, 1)
    loss = excluded_loss(logits, torch.zeros(1, 1, 1, dtype=torch.int64))
    assert float(loss) == pytest.approx(-np.log(1 - p), rel=1e-5)


def test_it_is_finite_where_the_model_is_wholly_wrong() -> None:
    logits = torch.tensor([300.0, 0.0, 0.0]).reshape(1, 3, 1, 1).requires_grad_()
    loss = excluded_loss(logits, torch.zeros(1, 1, 1, dtype=torch.int64))
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    assert float(logits.grad[0, 0]) > 0.5
