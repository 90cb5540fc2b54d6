"""Training that no longer helps ends by itself."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from napari_relay.training.improvement import Improvement
from relay_tokens import UserError, load_checkpoint
from tests.training.tiny_run import OPTIONS, rows, small_model, start, steps

# Nothing is learnt, so the first evaluation, at step 2, stays the best.
STALE = replace(OPTIONS, steps=40, learning_rate=1e-12, early_stopping=2, save_every=40)


def test_training_ends_after_so_many_evaluations_without_a_rise(tmp_path: Path) -> None:
    progress = list(start(tmp_path, STALE))
    assert [p.step for p in progress] == [1, 2, 3, 4, 5, 6]
    assert any("ended at step 6" in note for note in progress[-1].notes)
    end = json.loads((tmp_path / "run.json").read_text())["end"]
    assert end["step"] == 6
    assert "not risen for 2 evaluations, since step 2" in end["reason"]
    assert load_checkpoint(tmp_path / "best").metadata.training["ended"] == end


def test_a_run_that_ended_early_does_nothing_more(tmp_path: Path) -> None:
    list(start(tmp_path, STALE))
    files = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    assert list(start(tmp_path, STALE)) == []
    for file, content in files.items():
        assert file.read_bytes() == content or file.name == "writer.txt", file


def test_an_interruption_does_not_reset_the_count(tmp_path: Path) -> None:
    run = start(tmp_path, STALE)
    assert [next(run).step for _ in range(5)] == [1, 2, 3, 4, 5]
    run.close()
    assert [p.step for p in start(tmp_path, STALE)] == [6]
    assert steps(tmp_path / "log.csv") == [1, 2, 3, 4, 5, 6]


def test_without_early_stopping_all_steps_are_done(tmp_path: Path) -> None:
    list(start(tmp_path, replace(STALE, early_stopping=0, steps=8)))
    assert [row["step"] for row in rows(tmp_path / "scores.csv")] == ["2", "4", "6", "8"]
    assert json.loads((tmp_path / "run.json").read_text())["end"]["step"] == 8


def test_the_best_weights_are_taken_though_later_ones_were_tried(tmp_path: Path) -> None:
    bad = replace(STALE, learning_rate=1.0, early_stopping=1, warmup_fraction=0.0)
    model = small_model()
    list(start(tmp_path, bad, model))
    scores = [float(row["miou"]) for row in rows(tmp_path / "scores.csv")]
    assert len(scores) >= 2
    best = load_checkpoint(tmp_path / "best")
    assert best.metadata.training["steps"] == 2 * (1 + scores.index(max(scores)))
    last = torch.load(tmp_path / "last.pt", weights_only=True)["model"]
    for name, value in model.state_dict().items():
        assert torch.equal(value, best.model.state_dict()[name])
    assert any(not torch.equal(value, last[name]) for name, value in model.state_dict().items())


def test_a_score_that_is_not_a_number_is_no_rise() -> None:
    improvement = Improvement(2)
    assert improvement.note(1, math.nan)
    assert not improvement.note(2, math.nan)
    assert improvement.note(3, 0.1)
    assert not improvement.is_over
    assert not improvement.note(4, math.nan)
    assert not improvement.note(5, 0.1)
    assert improvement.is_over


def test_a_negative_patience_is_refused() -> None:
    with pytest.raises(UserError, match="early_stopping"):
        replace(OPTIONS, early_stopping=-1)
