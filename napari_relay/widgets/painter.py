"""Paints large areas in a worker, one after the other, in the order they were asked for."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

from napari.utils.notifications import show_info
from qtpy.QtCore import QObject, Signal

from napari_relay.annotation import Step
from napari_relay.annotation.painting import Painting, PaintProgress, paint
from napari_relay.geometry import Window
from napari_relay.widgets.jobs import JobRunner
from napari_relay.widgets.paintable_labels import Labels


@dataclass(frozen=True)
class _Paint:
    """Something to be painted."""

    layer: Labels
    name: str
    make: Callable[[], Painting]
    tool: str
    over: int | None
    step: Step = field(default_factory=Step)

    def begin(self) -> bool:
        self.step.tool = self.tool
        return True

    def run(self) -> Iterator[PaintProgress | str]:
        painting = self.make()
        note = getattr(self.make, "note", "") or getattr(painting, "note", "")
        if note:
            yield note
        yield from paint(self.layer.data.pyramid, painting, self.step, self.over)

    def end(self, complete: bool) -> None:
        if complete and self.step:
            self.layer.record(self.step)


@dataclass
class _Replay:
    """A step to be taken back or made again."""

    layer: Labels
    undoing: bool
    step: Step | None = None

    @property
    def name(self) -> str:
        return "Undoing" if self.undoing else "Painting again"

    def begin(self) -> bool:
        self.step = self.layer.take_step(undoing=self.undoing)
        return self.step is not None

    def run(self) -> Generator[PaintProgress | str, None, None]:
        assert self.step is not None
        total = len(self.step)
        parts = self.step.replay(self.layer.data.pyramid, undoing=self.undoing)
        try:
            for done, window in enumerate(parts, 1):
                yield PaintProgress(window, done, total)
        finally:
            for _ in parts:  # half a step cannot be left
                pass

    def end(self, _complete: bool) -> None:
        assert self.step is not None
        self.layer.put_step(self.step, undone=self.undoing)


class Painter(QObject):
    """The :class:`~napari_relay.widgets.paintable_labels.Painter` of one image."""

    changed = Signal()
    """Something began or ended."""
    advanced = Signal(object)
    """A :class:`PaintProgress` is on screen."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.jobs = JobRunner(self)
        self.jobs.advanced.connect(self._on_advanced)
        self.jobs.ended.connect(self._on_ended)
        self._waiting: deque[_Paint | _Replay] = deque()
        self._running: _Paint | _Replay | None = None

    @property
    def busy(self) -> bool:
        """Whether something is painted or waits to be."""
        return self._running is not None or bool(self._waiting)

    def paint(
        self,
        layer: Labels,
        name: str,
        make: Callable[[], Painting],
        tool: str,
        over: int | None = None,
    ) -> None:
        """Paint what ``make`` finds (called in the worker), when all before it is done.

        A ``note`` of ``make`` or of what it finds is told to the person.
        """
        self._waiting.append(_Paint(layer, name, make, tool, over))
        self._go_on()

    def replay(self, layer: Labels, *, undoing: bool) -> None:
        """Undo or redo the newest step of a layer, when all before it is done."""
        self._waiting.append(_Replay(layer, undoing))
        self._go_on()

    def cancel(self) -> None:
        """Paint nothing more; what is half painted is taken back."""
        self._waiting.clear()
        self.jobs.cancel()

    def close(self) -> None:
        """Paint nothing more, and wait until what is half painted is taken back."""
        self.cancel()
        self.jobs.wait()

    def _go_on(self) -> None:
        while self._running is None and self._waiting:
            job = self._waiting.popleft()
            if job.begin():
                self._running = job
                self.jobs.start(job.name, job.run)
        self.changed.emit()

    def _on_advanced(self, found: PaintProgress | str) -> None:
        if isinstance(found, str):
            show_info(found)
        elif self._running is not None:
            self._running.layer.refresh_region(found.window)
            self.advanced.emit(found)

    def _on_ended(self, _name: str, complete: bool) -> None:
        job, self._running = self._running, None
        if job is not None:
            if not complete:
                job.layer.refresh_region(_whole(job.layer))
            job.end(complete)
        self._go_on()


def _whole(layer: Labels) -> Window:
    window: Window = layer.data.pyramid.window
    return window
