"""What a training run writes down, and that a resumed one says each thing once."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from napari_relay.training.step_table import StepTable
from tests.training.scenes import CLASSES
from tests.training.tiny_run import OPTIONS, rows, start, steps


def events(run: Path) -> EventAccumulator:
    found = EventAccumulator(str(run / "tensorboard"))
    found.Reload()
    return found


def event_steps(run: Path, tag: str) -> list[int]:
    return [event.step for event in events(run).Scalars(tag)]


def interrupt_like_a_kill(run: Path, after: int) -> None:
    """Leave what a killed process leaves: logs ahead of the last checkpoint."""
    going = start(run)
    for _ in range(after):
        next(going)
    checkpoint = (run / "last.pt").read_bytes() if (run / "last.pt").exists() else None
    going.close()
    if checkpoint is None:
        (run / "last.pt").unlink()
    else:
        (run / "last.pt").write_bytes(checkpoint)
    wait_for_the_next_second()


def wait_for_the_next_second() -> None:
    """TensorBoard reads event files by name, which is second, process, and an unpadded count."""
    time.sleep(1.0 - time.time() % 1.0)


@pytest.mark.parametrize("after", [1, 3, 5])
def test_each_step_is_logged_once_by_a_run_that_was_killed(tmp_path: Path, after: int) -> None:
    interrupt_like_a_kill(tmp_path, after)
    list(start(tmp_path))
    assert steps(tmp_path / "log.csv") == [1, 2, 3, 4, 5, 6]
    assert steps(tmp_path / "scores.csv") == [2, 4, 6]
    assert event_steps(tmp_path, "loss/total") == [1, 2, 3, 4, 5, 6]
    assert event_steps(tmp_path, "held_out/miou") == [2, 4, 6]


def test_tables_and_events_say_the_same(tmp_path: Path) -> None:
    progress = list(start(tmp_path))
    found = events(tmp_path)
    losses = [event.value for event in found.Scalars("loss/local")]
    assert losses == pytest.approx([p.loss.local for p in progress], rel=1e-5)
    rates = [float(row["learning_rate"]) for row in rows(tmp_path / "log.csv")]
    assert rates == pytest.approx([e.value for e in found.Scalars("learning_rate")], rel=1e-2)
    last = rows(tmp_path / "scores.csv")[-1]
    scores = progress[-1].scores
    assert scores is not None
    for name, iou in zip(CLASSES.names, scores.iou, strict=True):
        assert float(last[f"iou {name}"]) == pytest.approx(iou, abs=1e-5)
        assert found.Scalars(f"iou/{name}")[-1].value == pytest.approx(iou, rel=1e-5)
    assert float(last["miou"]) == pytest.approx(scores.miou, abs=1e-5)


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-7],
        lambda text: text + "7,0.9",
        lambda text: text + "\x00\x00",
        lambda text: text.splitlines()[0][:5],
        lambda text: "",
    ],
)
def test_a_table_that_was_cut_off_anywhere_goes_on_whole(
    tmp_path: Path, damage: Callable[[str], str]
) -> None:
    table = StepTable(tmp_path / "log.csv")
    for step in range(1, 5):
        table.append({"step": step, "name": 'a "class", with a comma'})
    table.path.write_text(damage(table.path.read_text()))
    table.cut(3)
    kept = steps(table.path) if table.path.exists() else []
    assert kept in ([1, 2, 3], [])
    table.append({"step": 4, "name": "b"})
    assert steps(table.path) == [*kept, 4]
    assert rows(table.path)[-1]["name"] == "b"


def test_without_tensorboard_a_note_says_so_and_the_run_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(
        "napari_relay.training.tensorboard_log.find_spec",
        lambda name: None if name == "tensorboard" else found(name),
    )
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    progress = list(start(tmp_path))
    assert len(progress) == OPTIONS.steps
    assert [note for p in progress for note in p.notes] == [*progress[0].notes]
    assert "tensorboard is not installed" in progress[0].notes[0]
    assert not (tmp_path / "tensorboard").exists()


def test_a_run_records_versions_seed_classes_and_each_start(tmp_path: Path) -> None:
    interrupt_like_a_kill(tmp_path, 3)
    assert next(start(tmp_path)).notes == ()
    record = json.loads((tmp_path / "run.json").read_text())
    first, second = record["starts"]
    assert [first["step"], second["step"]] == [0, 2]
    assert {"napari-relay", "torch", "timm"} <= first["versions"].keys()
    assert first["seed"] == OPTIONS.seed
    assert first["classes"] == list(CLASSES.names)


def test_another_torch_is_accepted_with_a_note(tmp_path: Path) -> None:
    interrupt_like_a_kill(tmp_path, 3)
    file = tmp_path / "run.json"
    record = json.loads(file.read_text())
    record["starts"][-1]["versions"]["torch"] = "1.0"
    file.write_text(json.dumps(record))
    (note,) = next(start(tmp_path)).notes
    assert "torch 1.0, now" in note


@pytest.mark.parametrize("content", ["", "{", "[]", '{"starts": 3}', '{"starts": [1]}'])
def test_a_damaged_record_does_not_stop_a_run(tmp_path: Path, content: str) -> None:
    interrupt_like_a_kill(tmp_path, 3)
    (tmp_path / "run.json").write_text(content)
    assert [p.step for p in start(tmp_path)] == [3, 4, 5, 6]
