"""What of an image could not be read."""

from __future__ import annotations

import errno
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from napari_relay.geometry import Window
from relay_tokens import UserError

AWAY = (
    errno.ENOENT,
    errno.ESTALE,
    errno.ENODEV,
    errno.ENXIO,
    errno.ENOTCONN,
    errno.EHOSTDOWN,
    errno.EHOSTUNREACH,
    errno.ENETUNREACH,
    errno.ETIMEDOUT,
)
"""Errors of a file that is not there any more, on a disk or in a network."""


@dataclass(frozen=True)
class DamagedChunk:
    """A part of an image that has no pixels because the file is damaged there."""

    level: int
    """Index of the level."""
    window: Window
    """Where it lies, in level-0 pixels."""
    reason: str
    """One sentence that names the file."""


class Damage:
    """Damaged chunks of an image, each once, as they are met. Thread-safe.

    Parameters
    ----------
    known
        Those that were met before.
    """

    def __init__(self, known: Iterable[DamagedChunk] = ()) -> None:
        self._lock = threading.Lock()
        self._chunks = dict.fromkeys(known)
        self.only_damage = True
        """Whether no chunk could be decoded so far; set by who decodes."""

    @property
    def count(self) -> int:
        """How many chunks were found damaged so far."""
        return len(self._chunks)

    @property
    def chunks(self) -> tuple[DamagedChunk, ...]:
        """All of them, in the order in which they were met."""
        with self._lock:
            return tuple(self._chunks)

    @property
    def sentence(self) -> str | None:
        """What the reader said of the first one, or None."""
        chunks = self.chunks
        return chunks[0].reason if chunks else None

    def add(self, chunk: DamagedChunk) -> None:
        """Take note of a chunk."""
        with self._lock:
            self._chunks[chunk] = None


def raise_unless_damage(error: Exception, path: Path) -> None:
    """Return if a failed read means damage; raise if it says nothing of the pixels.

    Parameters
    ----------
    error
        What a reader raised; readers chain what their library raised.
    path
        The file or folder that was read.

    Raises
    ------
    UserError
        When the file is gone or may not be read any more.
    MemoryError, OSError
        When the process ran out of memory or of open files.
    """
    for cause in _causes(error):
        if isinstance(cause, PermissionError):
            raise UserError(
                f"{path} may not be read any more; change its permissions and run again."
            ) from error
        if isinstance(cause, MemoryError) or _errno(cause) in (errno.EMFILE, errno.ENFILE):
            raise cause
        if _errno(cause) in AWAY:
            raise vanished(path) from error
    if not path.exists():
        raise vanished(path) from error


def vanished(path: Path) -> UserError:
    """What to say of a file that was there when it was opened."""
    return UserError(f"{path} vanished while it was being read; put it back and run again.")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _errno(error: BaseException) -> int | None:
    return error.errno if isinstance(error, OSError) else None
