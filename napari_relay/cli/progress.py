"""Bars for work that takes a while, on the standard error stream."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

if TYPE_CHECKING:
    from napari_relay.images import PyramidImage


class SpeedColumn(ProgressColumn):
    """Steps a second, e.g. ``12.3 tiles/s``."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self._step = step

    def render(self, task: Task) -> Text:
        """Write the speed of the last steps, or a dash before there is one."""
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f} {self._step}/s" if speed else f"– {self._step}/s", style="cyan")


class StepBar:
    """A bar that is told how many of how many steps are done."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress = progress
        self._task = task

    def show(self, done: int, total: int, note: str = "") -> None:
        """Set the bar to ``done`` of ``total`` steps, and the note behind it."""
        self._progress.update(self._task, completed=done, total=total, note=note)

    def say(self, sentence: str) -> None:
        """Write a line above the bar."""
        self._progress.console.print(sentence, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def step_bar(title: str, step: str) -> Iterator[StepBar]:
    """Show a bar with speed and remaining time while the block runs."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        SpeedColumn(step),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield StepBar(progress, progress.add_task(title, total=None, note=""))


def open_with_bar(*paths: Path) -> PyramidImage:
    """Open an image, or rasters as one; a bar appears only when levels must be built first."""
    from napari_relay.images import open_stack

    progress = Progress(console=Console(stderr=True), transient=True)
    task = progress.add_task(f"Building levels of {_names(paths)}", total=None)

    def show(done: int, total: int) -> None:
        progress.start()
        progress.update(task, completed=done, total=total)

    try:
        return open_stack(paths, progress=show)
    finally:
        # A bar that was never started would still leave an empty line.
        if progress.live.is_started:
            progress.stop()


def _names(paths: tuple[Path, ...]) -> str:
    return ", ".join(path.name for path in paths)
