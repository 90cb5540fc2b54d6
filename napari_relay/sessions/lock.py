"""One writer a session."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

from filelock import FileLock, Timeout


class SessionLock:
    """The operating system's lock on a folder: it ends with its process, however that ends.

    Parameters
    ----------
    folder
        What is locked; it is made when the lock is taken.
    name
        Of the lock's files in it.
    title
        What a person calls it.
    """

    def __init__(self, folder: Path, name: str, title: str) -> None:
        self._folder = folder
        self._title = title
        self._lock = FileLock(folder / f"{name}.lock", thread_local=False)
        self._holder = folder / f"{name}.holder"

    @property
    def held(self) -> bool:
        """Whether this object holds it."""
        return bool(self._lock.is_locked)

    def acquire(self) -> str:
        """Take the lock, at once or not at all.

        Returns
        -------
        str
            Empty when it is held now, else in one sentence why it is not.
        """
        if self.held:
            return ""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(blocking=False)
        except Timeout:
            return f"{self._title} is open in another window ({self._who()})."
        except (OSError, NotImplementedError) as error:
            reason = getattr(error, "strerror", None) or error
            return f"{self._folder} cannot be written ({reason})."
        with contextlib.suppress(OSError):
            self._holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
        return ""

    @property
    def is_free(self) -> bool:
        """Whether it could be taken now, by anybody."""
        if self.held:
            return False
        free = not self.acquire()
        if free:
            self.release()
        return free

    def release(self) -> None:
        """Give it back; does nothing when it is not held."""
        self._lock.release()

    def _who(self) -> str:
        with contextlib.suppress(OSError):
            return self._holder.read_text() or "unknown"
        return "unknown"
