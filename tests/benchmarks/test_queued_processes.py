"""Processes that run side by side."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from benchmarks import queued_processes
from benchmarks.queued_processes import Job, run_jobs


@pytest.fixture(autouse=True)
def _look_often(monkeypatch):
    monkeypatch.setattr(queued_processes, "PAUSE", 0.02)


def job(folder: Path, name: str, code: str) -> Job:
    """A process that runs code."""
    return Job(name, ("timeit", "-n", "1", "-r", "1", code), folder / f"{name}.txt")


def test_jobs_run_in_their_order_and_each_is_told_when_it_ended(tmp_path):
    told = []
    jobs = [job(tmp_path, name, "pass") for name in ("a", "b", "c")]
    run_jobs(jobs, lambda: 1, lambda ended, status: told.append((ended.name, status)))
    assert told == [("a", 0), ("b", 0), ("c", 0)]
    assert "loop" in (tmp_path / "a.txt").read_text()


def test_a_job_that_fails_does_not_keep_the_others_from_running(tmp_path):
    told = {}
    jobs = [job(tmp_path, "bad", "1 / 0"), job(tmp_path, "good", "pass")]
    run_jobs(jobs, lambda: 1, lambda ended, status: told.update({ended.name: status}))
    assert told == {"bad": 1, "good": 0}
    assert "ZeroDivisionError" in (tmp_path / "bad.txt").read_text()


def test_as_many_run_together_as_allowed_at_that_moment(tmp_path):
    # Each waits for the other's file: one after the other neither would end in time.
    code = (
        "import time, pathlib\npathlib.Path({own!r}).touch()\nend = time.time() + 60\n"
        "while not pathlib.Path({other!r}).exists():\n"
        " assert time.time() < end\n time.sleep(0.02)"
    )
    own, other = str(tmp_path / "one"), str(tmp_path / "two")
    jobs = [
        job(tmp_path, "first", code.format(own=own, other=other)),
        job(tmp_path, "second", code.format(own=other, other=own)),
    ]
    allowed, told = iter([1]), []
    run_jobs(jobs, lambda: next(allowed, 2), lambda _, status: told.append(status))
    assert told == [0, 0]


def test_libraries_are_told_the_number_of_threads(tmp_path):
    code = f"import os\nopen({str(tmp_path / 'n')!r}, 'w').write(os.environ['OMP_NUM_THREADS'])"
    run_jobs([job(tmp_path, "a", code)], lambda: 1, lambda *_: None, threads=3)
    assert (tmp_path / "n").read_text() == "3"


def test_an_interruption_ends_what_runs(tmp_path):
    pid = tmp_path / "pid"
    code = f"import os, time\nopen({str(pid)!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"

    def at_a_time() -> int:
        if pid.exists() and pid.read_text():
            raise KeyboardInterrupt
        time.sleep(0.02)
        return 1

    jobs = [job(tmp_path, "long", code), job(tmp_path, "next", "pass")]
    with pytest.raises(KeyboardInterrupt):
        run_jobs(jobs, at_a_time, lambda *_: None)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid.read_text()), 0)
    assert not (tmp_path / "next.txt").exists()
