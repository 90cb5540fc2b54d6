"""Everything long that runs, in napari's activity dock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from napari.utils.progress import cancelable_progress
from qtpy.QtCore import QObject, QTimer

from napari_relay.annotation.painting import PaintProgress
from napari_relay.exporting.progress import ExportProgress
from napari_relay.inference import TileResult
from napari_relay.training import FinetuneProgress
from napari_relay.widgets.controller import FINETUNING, PREDICTING, RelayController
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.level_builds import LevelBuild, OpenProgress

_FOLLOW_MS = 250
"""How often the bars follow: napari lets Qt work each time, and what is over in less shows none."""


@dataclass(eq=False)
class Task:
    """Something that runs."""

    name: str
    """What it is, e.g. ``Predicting``."""
    stop: Callable[[], None]
    """Ends it."""
    done: int = 0
    """Steps done."""
    total: int = 0
    """Steps in all; 0: not known."""
    bar: cancelable_progress | None = None
    """Its bar in the activity dock, once it has one."""


class Activity(QObject):
    """Keeps a bar, with a Cancel button, for each job, opening and build of a controller.

    The bars are made and moved by a timer alone. napari processes Qt's events
    within both, so a task may end there: what has ended has its bar closed.
    """

    def __init__(self, controller: RelayController, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.tasks: list[Task] = []
        self._following = False
        self._compared: list[JobRunner] = []
        self._timer = QTimer(self)
        self._timer.setInterval(_FOLLOW_MS)
        self._timer.timeout.connect(self._follow)
        jobs = self.watch(controller.jobs)
        opening = self.watch(controller.opener.jobs)
        exporting = self.watch(controller.exporter.jobs)
        controller.exporter.jobs.advanced.connect(partial(_advance_export, exporting))
        tuning = self.watch(controller.finetuner.jobs, controller.finetuner.stop)
        controller.predicted.connect(lambda result: _advance_job(jobs, result))
        controller.finetuner.progressed.connect(lambda progress: _advance_job(tuning, progress))
        controller.opener.advanced.connect(lambda progress: _advance_opening(opening, progress))
        controller.images_changed.connect(lambda: self._watch_comparisons(controller))
        self._watch_comparisons(controller)
        controller.images.build_started.connect(self._watch_build)
        for build in controller.images.builds:
            self._watch_build(build)

    def close(self) -> None:
        """Close every bar."""
        for task in list(self.tasks):
            self._end(task)

    def watch(self, runner: JobRunner, stop: Callable[[], None] | None = None) -> list[Task]:
        """Show what a runner runs; the list holds the task of it meanwhile.

        ``stop`` is called when a person cancels it; the runner's own by default.
        """
        running: list[Task] = []

        def on_started(name: str) -> None:
            running.append(self._begin(name, stop or runner.cancel))

        def on_ended() -> None:
            if running:  # the next may have been started by who heard of the end before
                self._end(running.pop(0))

        runner.started.connect(on_started)
        runner.ended.connect(on_ended)
        return running

    def _watch_comparisons(self, controller: RelayController) -> None:
        """Follow what-if runs and painting of the images opened since the last time."""
        there = [layers.prober.comparisons for layers in controller.layers]
        there += [layers.painter.jobs for layers in controller.layers]
        for runner in there:
            if not any(runner is known for known in self._compared):
                running = self.watch(runner)
                runner.advanced.connect(partial(_advance_painting, running))
        self._compared = there

    def _watch_build(self, build: LevelBuild) -> None:
        task = self._begin(f"Building levels of {build.image.source.name}", build.cancel)
        build.advanced.connect(lambda progress: _advance_opening([task], progress))
        build.ended.connect(lambda: self._end(task))

    def _begin(self, name: str, stop: Callable[[], None]) -> Task:
        task = Task(name, stop)
        self.tasks.append(task)
        self._timer.start()
        return task

    def _end(self, task: Task) -> None:
        if task in self.tasks:
            self.tasks.remove(task)
        if task.bar is not None:
            task.bar.close()
        if not self.tasks:
            self._timer.stop()

    def _follow(self) -> None:
        if self._following:  # called by napari's own processing of events
            return
        self._following = True
        for task in list(self.tasks):
            self._show(task)
        self._following = False

    def _show(self, task: Task) -> None:
        """Make or move the bar of a task."""
        if task.bar is None:
            task.bar = cancelable_progress(desc=task.name, total=task.total)
        if task not in self.tasks:  # it has ended meanwhile
            task.bar.close()
        elif task.bar.is_canceled:
            task.stop()
        else:
            task.bar.total = task.total
            task.bar.update(task.done - task.bar.n)


def _advance_job(running: list[Task], result: TileResult | FinetuneProgress) -> None:
    for task in running:
        if isinstance(result, TileResult) and task.name == PREDICTING:
            task.done, task.total = result.done, result.total
        elif isinstance(result, FinetuneProgress) and task.name == FINETUNING:
            task.done, task.total = result.step, result.steps


def _advance_painting(running: list[Task], progress: object) -> None:
    for task in running:
        if isinstance(progress, PaintProgress):
            task.done, task.total = progress.done, progress.total


def _advance_export(running: list[Task], progress: object) -> None:
    for task in running:
        if isinstance(progress, ExportProgress):
            task.done, task.total = progress.done, progress.total


def _advance_opening(running: list[Task], progress: OpenProgress) -> None:
    for task in running:
        task.done, task.total = progress.done, progress.total
