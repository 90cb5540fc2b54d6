"""Generators that run in a worker thread, one at a time."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Any

from napari.utils.notifications import notification_manager, show_error
from qtpy.QtCore import QObject, QThreadPool, Signal
from superqt.utils import WorkerBase

from napari_relay.inference import stand_back
from relay_tokens import UserError


class JobStopped(Exception):  # noqa: N818  (nothing went wrong)
    """Raised within a job, by its own callbacks, to stop at once."""


class _JobSignals(QObject):
    """Signals of a worker; they reach the main thread queued."""

    started = Signal()
    finished = Signal()
    _finished = Signal(object)
    errored = Signal(object)
    yielded = Signal(object)


class _JobWorker(WorkerBase[None]):
    """Iterates a generator until it ends or the worker is told to quit."""

    def __init__(self, make: Callable[[], Iterator[Any]]) -> None:
        super().__init__(SignalsClass=_JobSignals)  # type: ignore[arg-type]  # it says: a subclass
        self._make = make

    def run(self) -> None:
        """Work in a thread of Qt's pool, and leave warnings to napari, which shows each once.

        The base class would catch them, for all threads of the process at once
        and without giving that back when two workers overlap.
        """
        with _uncounted():
            self.started.emit()
            self._running = True
            try:
                self.work()
            except Exception as error:
                self.errored.emit(error)
            self._running = False
            self.finished.emit()
            self._finished.emit(self)

    def work(self) -> None:
        """Iterate in the worker thread; the generator is closed in it too."""
        if self.abort_requested:  # before a thread was free
            return
        stand_back()
        items = self._make()
        try:
            for item in items:
                if self.abort_requested:
                    return
                self.yielded.emit(item)
                if self.abort_requested:
                    return
        finally:
            if isinstance(items, Generator):
                items.close()


@contextmanager
def _uncounted() -> Iterator[None]:
    """Do not count the present thread among those of Qt's pool.

    The pool has one for each core, and Qt itself waits for one when it scales a
    picture: the window would stand still as long as so many jobs run.
    """
    threads = QThreadPool.globalInstance()
    assert threads is not None  # there is an application
    threads.releaseThread()
    try:
        yield
    finally:
        threads.reserveThread()


class JobRunner(QObject):
    """Runs one job at a time and reports it on the main thread."""

    started = Signal(str)
    """A job began; its name."""
    advanced = Signal(object)
    """The job yielded a result."""
    ended = Signal(str, bool)
    """The job's name, and whether it came to its own end."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._worker: _JobWorker | None = None
        self._name = ""
        self._failed = False
        self._after: Callable[[], None] | None = None

    @property
    def name(self) -> str:
        """Name of the running job; empty when none runs."""
        return self._name if self._worker is not None else ""

    @property
    def running(self) -> bool:
        """Whether a job runs, or is still stopping."""
        return self._worker is not None

    @property
    def stopping(self) -> bool:
        """Whether the running job was told to stop; may be asked in any thread."""
        worker = self._worker
        return worker is not None and bool(worker.abort_requested)

    def start(self, name: str, make: Callable[[], Iterator[Any]]) -> None:
        """Run ``make()`` to its end in a worker thread.

        A job that runs already is stopped first; this one begins when the
        other has ended.
        """
        if self._worker is not None:
            self._after = lambda: self.start(name, make)
            self._worker.quit()
            return
        worker = _JobWorker(make)
        worker.yielded.connect(self._on_yielded)
        worker.errored.connect(self._on_errored)
        worker.finished.connect(self._on_finished)
        self._worker, self._name, self._failed = worker, name, False
        self.started.emit(name)
        worker.start()

    def cancel(self) -> None:
        """Stop the running job after the step it is in; what is done is kept."""
        self._after = None
        if self._worker is not None:
            self._worker.quit()

    def wait(self, seconds: float = 60) -> None:
        """Wait on the main thread until the job has ended; for jobs that need nothing of it."""
        worker, deadline = self._worker, monotonic() + seconds
        while worker is not None and worker.is_running and monotonic() < deadline:
            sleep(0.005)

    def _on_yielded(self, item: object) -> None:
        if self._worker is not None and not self._worker.abort_requested:
            self.advanced.emit(item)

    def _on_errored(self, error: Exception) -> None:
        self._failed = True
        if not isinstance(error, JobStopped):
            report(error)

    def _on_finished(self, _nothing: None = None) -> None:
        worker, self._worker = self._worker, None
        complete = worker is not None and not worker.abort_requested and not self._failed
        self.ended.emit(self._name, complete)
        after, self._after = self._after, None
        if after is not None:
            after()


def report(error: Exception) -> None:
    """Show a user's mistake as one sentence, anything else with its traceback."""
    if isinstance(error, UserError):
        show_error(str(error))
    else:
        notification_manager.receive_error(type(error), error, error.__traceback__)
