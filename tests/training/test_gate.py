from __future__ import annotations

import math

import numpy as np
import pytest

from napari_relay.training import FinetuneOptions, Scores
from napari_relay.training.gate import Gate, Measurement
from tests.training.scenes import CLASSES


def scores(*right: float) -> Scores:
    """Of a hundred thousand pixels a class, so many of them right; wrong ones go to the next."""
    confusion = np.zeros((3, 3), np.int64)
    for k, share in enumerate(right):
        confusion[k, k] = round(share * 1e5)
        confusion[k, (k + 1) % 3] = round((1 - share) * 1e5)
    return Scores(confusion)


def measured(corrections: float, base: Scores | None, agreement: float = 0.5) -> Measurement:
    return Measurement(scores(corrections, corrections, corrections), base, agreement)


def gate(base: Scores | None, held_out: bool = True) -> Gate:
    first = math.nan if base is None else base.miou
    return Gate(measured(0.5, base, 1.0), held_out, CLASSES, first, FinetuneOptions())


KNOWN = scores(0.9, 0.9, 0.9)


def test_better_and_nothing_forgotten_is_recommended() -> None:
    verdict = gate(KNOWN).judge(measured(0.8, KNOWN))
    assert verdict.recommended
    assert "kept out of the training" in verdict.reason


def test_worse_on_the_corrections_is_not() -> None:
    verdict = gate(KNOWN).judge(measured(0.4, KNOWN))
    assert not verdict.recommended
    assert verdict.reason.startswith("Worse")


def test_a_lost_class_is_named() -> None:
    verdict = gate(KNOWN).judge(measured(0.8, scores(0.9, 0.9, 0.6)))
    assert not verdict.recommended
    assert "red" in verdict.reason


def test_a_little_loss_everywhere_is_too_much_too() -> None:
    verdict = gate(KNOWN).judge(measured(0.8, scores(0.885, 0.885, 0.885)))
    assert not verdict.recommended
    assert "forgetting" in verdict.reason


def test_without_tiles_of_the_training_data_agreement_decides() -> None:
    assert not gate(None).judge(measured(0.8, None, 0.5)).recommended
    assert gate(None).judge(measured(0.8, None, 0.9)).recommended
    assert gate(None).judge(measured(0.8, None, math.nan)).recommended


def test_what_was_learnt_is_plainly_said_to_be_measured_on() -> None:
    verdict = gate(KNOWN, held_out=False).judge(measured(0.8, KNOWN))
    assert verdict.recommended
    assert "it has learnt" in verdict.reason


@pytest.mark.parametrize("base", [None, KNOWN])
def test_every_reason_is_a_sentence(base: Scores | None) -> None:
    for corrections in (0.2, 0.5, 0.9):
        reason = gate(base).judge(measured(corrections, base)).reason
        assert reason[0].isupper()
        assert reason.endswith(".")
