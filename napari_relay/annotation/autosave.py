"""Saves again and again in a thread of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from relay_tokens.errors import UserError


class Autosaver:
    """Calls a save function once a second until it is stopped.

    Parameters
    ----------
    save
        Saves what is not saved yet and returns at once if there is nothing,
        e.g. :meth:`CorrectionStore.flush`. It is called in another thread.
    on_error
        Gets the error when saving begins to fail, in that thread. Saving is
        tried again every interval; further failures are silent until one
        attempt has succeeded.
    interval
        Seconds between two attempts.
    on_recovery
        Called, in that thread, when saving has worked again after an error.

    Notes
    -----
    :meth:`stop` saves a last time. Should nobody call it, the thread saves and
    ends by itself when the main thread has ended.
    """

    def __init__(
        self,
        save: Callable[[], object],
        on_error: Callable[[UserError], None],
        interval: float = 1.0,
        on_recovery: Callable[[], None] | None = None,
    ) -> None:
        self._save = save
        self._on_error = on_error
        self._interval = interval
        self._on_recovery = on_recovery
        self._failing = False
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the thread is alive."""
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Begin saving; does nothing if it runs already."""
        if self.running:
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name="autosave")
        self._thread.start()

    def stop(self) -> None:
        """Save a last time and wait for the thread to end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._stopping.wait(self._interval) and threading.main_thread().is_alive():
            self._attempt()
        self._attempt()

    def _attempt(self) -> None:
        try:
            self._save()
        except UserError as error:
            self._fail(error)
        except Exception as error:  # whatever it is, saving has to be tried again
            self._fail(UserError(f"The corrections cannot be saved ({error}); saving is retried."))
        else:
            if self._failing and self._on_recovery is not None:
                self._on_recovery()
            self._failing = False

    def _fail(self, error: UserError) -> None:
        if not self._failing:
            self._failing = True
            self._on_error(error)
