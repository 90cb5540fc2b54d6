"""One writer a store."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from relay_tokens import UserError


class WriteLock:
    """The operating system's lock on a store: it ends with its process, however that ends.

    Another process, or another object of this one, does not get it while it
    is held. The threads of one object share it, and it may be taken again.

    Parameters
    ----------
    store
        What a person is told of.
    folder
        Where the lock's files lie.
    """

    def __init__(self, store: Path, folder: Path) -> None:
        self._store = store
        self._lock = FileLock(folder / "writing.lock", thread_local=False)
        self._writer = folder / "writer.txt"
        self._name = f"{os.getpid()} {uuid4().hex}"

    @contextmanager
    def held(self) -> Iterator[bool]:
        """Hold the lock; yields whether somebody else may have written since it was last held.

        Raises
        ------
        UserError
            When somebody else holds it, or the store cannot be written.
        """
        try:
            self._lock.acquire(blocking=False)
        except Timeout as error:
            raise UserError(
                f"{self._store} is being written by another process (pid {self._last()[0]}); "
                "wait for it or choose another folder."
            ) from error
        except OSError as error:
            raise UserError(
                f"{self._store} cannot be written ({error.strerror or error}); "
                "choose a folder you may write to."
            ) from error
        try:
            yield self._enter()
        finally:
            self._lock.release()

    @property
    def writer(self) -> str:
        """Process and name of the last writer."""
        return " ".join(self._last())

    def _enter(self) -> bool:
        is_other = self._last()[1:] != self._name.split()[1:]
        if is_other:
            self._writer.write_text(self._name)
        return is_other

    def _last(self) -> list[str]:
        """Process and name of the last writer."""
        with contextlib.suppress(OSError):
            return self._writer.read_text().split() or ["unknown"]
        return ["unknown"]
