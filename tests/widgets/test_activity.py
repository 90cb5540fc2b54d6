"""Bars in napari's activity dock: one for each long task, none that stays."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from napari._qt.widgets.qt_progress_bar import QtLabeledProgressBar
from napari.utils.notifications import notification_manager
from napari.utils.progress import progress
from napari.viewer import Viewer
from qtpy.QtCore import Qt

from napari_relay.widgets.activity import Activity
from napari_relay.widgets.panel import RelayPanel, main_window
from relay_tokens import UserError
from tests.colors import save_untrained, write_picture

Wait = Callable[[Callable[[], bool]], None]


def shown() -> list[str]:
    """Names of the bars in the dock."""
    return sorted(bar.desc.removesuffix(": ") for bar in progress._all_instances)


@pytest.fixture(autouse=True)
def _no_bar_is_left() -> Iterator[None]:
    yield
    assert shown() == []


class Steps:
    """A job whose steps the test lets happen one by one."""

    def __init__(self, error: Exception | None = None) -> None:
        self.go = threading.Semaphore(0)
        self.error = error

    def __call__(self) -> Iterator[int]:
        for number in range(100):
            self.go.acquire(timeout=20)
            if self.error is not None:
                raise self.error
            yield number


def test_a_job_has_a_bar_while_it_runs(panel: RelayPanel, wait_for: Wait) -> None:
    steps = Steps()
    panel.controller.jobs.start("Working", steps)
    wait_for(lambda: shown() == ["Working"])
    steps.go.release(100)
    wait_for(lambda: not panel.controller.jobs.running)
    assert shown() == []


def test_saving_and_comparing_have_bars_of_their_own_beside_a_prediction(
    ready: RelayPanel, wait_for: Wait
) -> None:
    current = ready.controller.current
    assert current is not None
    runners = {
        "Predicting": ready.controller.jobs,
        "Exporting": ready.controller.exporter.jobs,
        "Saving attention": ready.attention.saving.jobs,
        "Comparing": current.prober.comparisons,
    }
    steps = {name: Steps() for name in runners}
    for name, runner in runners.items():
        runner.start(name, steps[name])
    wait_for(lambda: shown() == sorted(runners))
    for name, runner in runners.items():
        runner.advanced.disconnect()
        steps[name].go.release(100)
    wait_for(lambda: not any(runner.running for runner in runners.values()))


def test_a_job_that_is_over_at_once_shows_none(panel: RelayPanel, wait_for: Wait) -> None:
    seen: list[object] = []
    progress._all_instances.events.changed.connect(seen.append)
    panel.controller.jobs.start("Working", lambda: iter([1, 2]))
    wait_for(lambda: not panel.controller.jobs.running)
    progress._all_instances.events.changed.disconnect(seen.append)
    assert not seen


def test_the_bar_of_a_prediction_follows_its_tiles(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    panel.controller.open(write_picture(tmp_path / "picture.tif", 900, 900))
    wait_for(lambda: panel.controller.session is not None)
    panel.controller.use_model(save_untrained(tmp_path / "colors"))
    panel.controller.predict_all()
    wait_for(lambda: shown() == ["Predicting"])
    (bar,) = progress._all_instances
    wait_for(lambda: 0 < bar.n < bar.total)
    assert bar.total == panel.controller.session.store.finished.size
    panel.controller.cancel()
    wait_for(lambda: not panel.controller.jobs.running)


def test_cancel_in_the_dock_stops_the_job(
    panel: RelayPanel, viewer: Viewer, qtbot, wait_for: Wait
) -> None:
    steps = Steps()
    panel.controller.jobs.start("Working", steps)
    wait_for(lambda: shown() == ["Working"])
    window = main_window(panel)
    assert window is not None
    (row,) = window.findChildren(QtLabeledProgressBar)
    qtbot.mouseClick(row.cancel_button, Qt.MouseButton.LeftButton)
    wait_for(lambda: panel.controller.jobs.stopping)
    steps.go.release(100)
    wait_for(lambda: not panel.controller.jobs.running)


def test_a_job_that_fails_leaves_no_bar(panel: RelayPanel, wait_for: Wait) -> None:
    said: list[object] = []
    notification_manager.notification_ready.connect(said.append)
    steps = Steps(UserError("The disk is full; make room."))
    panel.controller.jobs.start("Working", steps)
    wait_for(lambda: shown() == ["Working"])
    steps.go.release()
    wait_for(lambda: not panel.controller.jobs.running)
    notification_manager.notification_ready.disconnect(said.append)
    assert said[0].message == "The disk is full; make room."  # type: ignore[attr-defined]


def test_a_bar_whose_job_ends_while_napari_draws_it_is_closed(
    panel: RelayPanel, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps()
    panel.controller.jobs.start("Working", steps)

    def end(_added: object) -> None:
        for task in list(panel.activity.tasks):
            panel.activity._end(task)

    progress._all_instances.events.changed.connect(end)
    wait_for(lambda: not panel.activity.tasks)
    progress._all_instances.events.changed.disconnect(end)
    assert shown() == []
    panel.controller.cancel()
    steps.go.release(100)


def test_building_levels_has_a_bar_named_after_the_file(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("napari_relay.widgets.activity._FOLLOW_MS", 1)
    activity = Activity(panel.controller)
    named: list[str] = []

    def note(_event: object) -> None:
        named.extend(shown())

    progress._all_instances.events.changed.connect(note)
    panel.controller.open(write_picture(tmp_path / "large.tif", 3000, 3000))
    wait_for(lambda: panel.controller.session is not None)
    activity.close()
    progress._all_instances.events.changed.disconnect(note)
    assert "Building levels of large.tif" in named


def test_closing_the_bars_while_a_job_runs_leaves_none(panel: RelayPanel, wait_for: Wait) -> None:
    steps = Steps()
    panel.controller.jobs.start("Working", steps)
    wait_for(lambda: shown() == ["Working"])
    panel.activity.close()
    assert shown() == []
    panel.controller.cancel()
    steps.go.release(100)
