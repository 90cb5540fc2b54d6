"""Commands run side by side, each in a process with one thread a library."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAUSE = 0.5
"""Seconds between two looks at what runs."""


@dataclass(frozen=True)
class Job:
    """A Python module that is run once."""

    name: str
    """For the person who waits."""
    command: tuple[str, ...]
    """What follows ``python -m``."""
    log: Path
    """Gets what it prints; its folder is made."""


def run_jobs(
    jobs: Sequence[Job],
    at_a_time: Callable[[], int],
    finished: Callable[[Job, int], None],
    threads: int = 1,
) -> None:
    """Run jobs in their order, and stop those that run when this one is interrupted.

    Parameters
    ----------
    jobs
        What is run.
    at_a_time
        Asked again and again: how many may run together.
    finished
        Told each job that ended, with its exit status.
    threads
        Of each process.
    """
    waiting = list(jobs)
    running: dict[Job, subprocess.Popen[bytes]] = {}
    with _all_stopped(running):
        while waiting or running:
            while waiting and len(running) < max(at_a_time(), 1):
                job = waiting.pop(0)
                running[job] = _start(job, threads)
            for job, status in list(_ended(running)):
                del running[job]
                finished(job, status)
            time.sleep(PAUSE if running else 0)


def _ended(running: dict[Job, subprocess.Popen[bytes]]) -> Iterator[tuple[Job, int]]:
    for job, process in running.items():
        status = process.poll()
        if status is not None:
            yield job, status


def _start(job: Job, threads: int) -> subprocess.Popen[bytes]:
    count = str(threads)
    environment = {**os.environ, "OMP_NUM_THREADS": count, "OPENBLAS_NUM_THREADS": count}
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", *job.command],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


@contextmanager
def _all_stopped(running: dict[Job, subprocess.Popen[bytes]]) -> Iterator[None]:
    with ExitStack() as stack:
        try:
            yield
        finally:
            for process in running.values():
                process.terminate()
                stack.callback(process.wait)
