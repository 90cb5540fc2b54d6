"""Generators in a worker: what they warn of, and how they end."""

from __future__ import annotations

import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator

import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QThreadPool

from napari_relay.widgets.jobs import JobRunner

Wait = Callable[[Callable[[], bool]], None]


def test_a_warning_of_a_job_is_shown_once(qtbot, wait_for: Wait) -> None:
    def job() -> Iterator[int]:
        for number in range(3):
            warnings.warn("the file is damaged", UserWarning, stacklevel=1)
            yield number

    said: list[str] = []
    arrived: list[int] = []
    runner = JobRunner()
    runner.advanced.connect(arrived.append)
    with warnings.catch_warnings(), notification_manager:
        warnings.simplefilter("always")
        notification_manager.notification_ready.connect(said.append)
        runner.start("Warning", job)
        wait_for(lambda: not runner.running)
        notification_manager.notification_ready.disconnect(said.append)
    assert arrived == [0, 1, 2]
    assert [str(one.message) for one in said] == ["the file is damaged"]  # type: ignore[attr-defined]


def test_overlapping_jobs_leave_the_warnings_of_the_process_as_they_were(
    qtbot, wait_for: Wait
) -> None:
    def job(steps: int) -> Iterator[int]:
        for number in range(steps):
            qtbot_wait.wait(0.005)
            yield number

    import threading

    qtbot_wait = threading.Event()
    before = warnings.showwarning, list(warnings.filters)
    one, other = JobRunner(), JobRunner()
    one.start("one", lambda: job(4))
    other.start("other", lambda: job(12))
    wait_for(lambda: not one.running and not other.running)
    assert (warnings.showwarning, list(warnings.filters)) == before


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has priorities of threads")
def test_a_job_works_at_a_lower_priority_than_the_window(qtbot, wait_for) -> None:
    runner, found = JobRunner(), []

    def job() -> Iterator[int]:
        yield os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    runner.advanced.connect(found.append)
    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    runner.start("Looking", job)
    wait_for(lambda: not runner.running)
    assert found[0] > before
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before


def test_jobs_wait_neither_for_each_other_nor_keep_qts_own_threads(qtbot, wait_for: Wait) -> None:
    go_on = threading.Event()

    def job() -> Iterator[int]:
        yield 1
        go_on.wait(30)

    begun: list[int] = []
    runners = [JobRunner() for _ in range((os.cpu_count() or 1) + 2)]
    for runner in runners:
        runner.advanced.connect(begun.append)
        runner.start("waiting", job)
    wait_for(lambda: len(begun) == len(runners))
    assert QThreadPool.globalInstance().activeThreadCount() == 0
    go_on.set()
    wait_for(lambda: not any(runner.running for runner in runners))
