from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_relay.training import (
    TrainOptions,
    TrainProgress,
    labelled_image,
    split_image,
    train,
)
from napari_relay.training.schedules import Schedule
from relay_tokens import RelaySegmenter, UserError, load_checkpoint
from tests.training.conftest import TrainedRun
from tests.training.scenes import METADATA, blobs, tiny_model

OPTIONS = TrainOptions(
    steps=12,
    batch_size=2,
    evaluate_every=6,
    save_every=4,
    validation_crops=4,
    device="cpu",
    plots=False,
)
IMAGE, LABELS = blobs()
IMAGES = [labelled_image(IMAGE, LABELS, split_image(IMAGE.shape, 64, 0.2, 0, LABELS))]


def start(
    folder: Path, options: TrainOptions = OPTIONS
) -> tuple[RelaySegmenter, Iterator[TrainProgress]]:
    torch.manual_seed(0)
    model = tiny_model()
    return model, train(model, METADATA, IMAGES, options, folder)


def test_training_lowers_the_loss_and_beats_the_majority_class(trained_run: TrainedRun) -> None:
    progress = trained_run.progress
    first, last = progress[0].loss.total, np.mean([p.loss.total for p in progress[-5:]])
    assert last < 0.5 * first
    scores = progress[-1].scores
    assert scores is not None
    majority = scores.confusion.sum(axis=1).max() / scores.confusion.sum()
    assert scores.accuracy > majority + 0.3


def test_a_stopped_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole, run = start(tmp_path / "whole")
    list(run)
    _, part = start(tmp_path / "parts")
    for _ in range(7):
        next(part)
    part.close()
    resumed, rest = start(tmp_path / "parts")
    assert [p.step for p in rest] == [8, 9, 10, 11, 12]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_the_best_model_is_kept_with_a_record_of_its_training(tmp_path: Path) -> None:
    model, run = start(tmp_path)
    scores = [p.scores.miou for p in run if p.scores]
    best = load_checkpoint(tmp_path / "best")
    record = best.metadata.training
    assert record["held_out"]["miou"] == pytest.approx(max(scores), abs=1e-4)
    assert record["options"]["seed"] == OPTIONS.seed
    for name, value in best.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name])


def test_a_finished_run_is_drawn_once(tmp_path: Path) -> None:
    options = replace(OPTIONS, steps=2, plots=True)
    list(start(tmp_path, options)[1])
    drawn = {file: file.stat().st_mtime_ns for file in (tmp_path / "plots").iterdir()}
    assert {file.stem for file in drawn} >= {"loss", "miou", "confusion"}
    assert list(start(tmp_path, options)[1]) == []
    assert all(file.stat().st_mtime_ns == time for file, time in drawn.items())


def test_a_folder_with_another_run_is_refused(tmp_path: Path) -> None:
    _, run = start(tmp_path)
    next(run)
    run.close()
    _, other = start(tmp_path, replace(OPTIONS, learning_rate=1e-2))
    with pytest.raises(UserError, match="other settings"):
        next(other)


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    _, run = start(tmp_path)
    next(run)
    run.close()
    (tmp_path / "last.pt").write_bytes(b"damaged")
    _, again = start(tmp_path)
    with pytest.raises(UserError, match=r"last\.pt is damaged"):
        next(again)


def test_without_fabric_the_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "lightning_fabric", None)
    _, run = start(tmp_path)
    with pytest.raises(UserError, match=r"napari-relay\[train\]"):
        next(run)


def make_schedule(options: TrainOptions) -> Schedule:
    parameter = torch.nn.Parameter(torch.zeros(1))
    return Schedule(torch.optim.AdamW([parameter], options.learning_rate), options)


def rates(options: TrainOptions) -> list[float]:
    schedule = make_schedule(options)
    seen = []
    for step in range(options.steps):
        schedule.before_step(step)
        seen.append(schedule.learning_rate)
    return seen


def test_the_learning_rate_warms_up_over_a_twentieth_of_the_steps() -> None:
    seen = rates(TrainOptions(steps=100))
    np.testing.assert_allclose(seen[:5], np.arange(1, 6) / 5 * 1e-3)
    assert set(seen[5:]) == {1e-3}


def test_a_cosine_schedule_ends_near_zero() -> None:
    seen = rates(TrainOptions(steps=100, schedule="cosine"))
    assert max(seen) == pytest.approx(1e-3)
    assert seen[-1] < 1e-5


def test_a_plateau_of_more_than_four_evaluations_divides_the_rate_by_five() -> None:
    schedule = make_schedule(TrainOptions(steps=100))
    schedule.before_step(50)
    for _ in range(5):
        schedule.after_evaluation(50, 0.5)
    assert schedule.learning_rate == pytest.approx(1e-3)
    schedule.after_evaluation(50, 0.5)
    assert schedule.learning_rate == pytest.approx(2e-4)
