"""The command around the runs."""

from __future__ import annotations

import json

import pytest

from benchmarks.context import allowed_jobs, train_all
from benchmarks.context_plan import planned_runs
from benchmarks.context_setting import SMALL
from benchmarks.context_work import WorkFolder
from relay_tokens import UserError


def test_the_number_of_jobs_is_read_from_the_work_folder_at_any_time(tmp_path):
    folder = WorkFolder(tmp_path, SMALL)
    assert allowed_jobs(folder, 2) == 2
    for text, number in (("3\n", 3), ("soon", 2), ("1", 1)):
        (tmp_path / "jobs").write_text(text)
        assert allowed_jobs(folder, 2) == number


def test_a_run_that_fails_is_named_and_leaves_results_and_a_plain_log(tmp_path):
    folder = WorkFolder.open(tmp_path / "work", SMALL)
    output = tmp_path / "context.json"
    runs = planned_runs(SMALL)[:1]
    with pytest.raises(UserError, match=r"single-0; log\.txt"):
        train_all(folder, runs, 1, output)
    found = json.loads(output.read_text())
    assert (found["finished"], found["planned"], found["models"]) == (0, 1, {})
    log = (folder.run(runs[0]) / "log.txt").read_text()
    assert "is not a folder" in log
    assert "Traceback" not in log


def test_finished_runs_are_not_repeated(tmp_path):
    folder = WorkFolder.open(tmp_path / "work", SMALL)
    runs = planned_runs(SMALL)[:1]
    scores = {"miou": 0.5, "accuracy": 0.9, "calibration_error": 0.1, "iou": {"mound": 0.5}}
    record = {"validation_miou": 0.5, "best_step": 1, "seconds": 2, "test_seconds": 1}
    about = {"group": "models", "name": "single", "seed": 0, "params": 10, "context": None}
    folder.run(runs[0]).mkdir(parents=True)
    folder.result(runs[0]).write_text(json.dumps({**scores, **record, **about, "lands": {}}))
    train_all(folder, runs, 1, tmp_path / "context.json")
    assert json.loads((tmp_path / "context.json").read_text())["models"]["single"]["miou"] == [0.5]
    assert not (folder.run(runs[0]) / "log.txt").exists()
