"""Who corrected what, when, with which tool, looking at which model's prediction."""

from __future__ import annotations

import csv
import getpass
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from napari_relay.geometry import Window
from relay_tokens.errors import UserError

LOG_FILE = "log.sqlite"
"""Name of the file, in the folder of the corrections."""

_TABLES = """
CREATE TABLE IF NOT EXISTS corrections (
    step INTEGER NOT NULL, time TEXT NOT NULL, person TEXT NOT NULL, model TEXT NOT NULL,
    tool TEXT NOT NULL, value INTEGER NOT NULL, says TEXT NOT NULL,
    row INTEGER NOT NULL, col INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    pixels INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS undone (step INTEGER NOT NULL, time TEXT NOT NULL, undone INTEGER);
"""
_INSERT = "INSERT INTO corrections VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_MARK = "INSERT INTO undone VALUES (?, ?, ?)"
_SELECT = """
SELECT c.*, COALESCE((SELECT u.undone FROM undone u WHERE u.step = c.step
                      ORDER BY u.rowid DESC LIMIT 1), 0)
FROM corrections c ORDER BY c.rowid
"""
COLUMNS = (
    "step", "time", "person", "model", "tool", "value", "says", "row", "col", "height", "width",
    "pixels", "undone",
)  # fmt: skip
"""Of the exported table."""


@dataclass(frozen=True)
class Correction:
    """One value that one step painted."""

    step: int
    """Number of the step; one that paints several values has several corrections."""
    time: str
    """When it was made: ISO 8601, UTC."""
    person: str
    """Who made it: the name of the account."""
    model: str
    """Which version of which model's prediction was shown; empty: not known."""
    tool: str
    """What it was made with."""
    value: int
    """What was painted; see ``correction_values``."""
    says: str
    """The same in words."""
    window: Window
    """Smallest window around the step, level-0 pixels."""
    pixels: int
    """How many pixels changed to this value."""
    undone: bool = False
    """Whether it was taken back."""


_Row = tuple[int | str, ...]


class CorrectionLog:
    """A table on disk to which is only ever added; taking back a step adds a mark.

    What is added is in memory until :meth:`flush`. SQLite's journal keeps the
    file whole when a process is killed. Any thread may call.

    Parameters
    ----------
    folder
        The corrections' folder.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / LOG_FILE
        self.person = _account()
        self.model = ""
        """Which version of which model is corrected from here on."""
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._waiting: list[tuple[str, _Row]] = []
        self._last: int | None = None

    @property
    def dirty(self) -> bool:
        """Whether something is not on disk yet."""
        return bool(self._waiting)

    def add(
        self, tool: str, window: Window, counts: Mapping[int, int], names: Mapping[int, str]
    ) -> int:
        """Note a step, and return its number.

        Parameters
        ----------
        tool
            What made it.
        window
            Around what it changed, level-0 pixels.
        counts
            How many pixels got each value.
        names
            What the values say.
        """
        with self._lock:
            if self._last is None:
                self._last = self._last_on_disk()
            self._last = number = self._last + 1
            head = (number, _now(), self.person, self.model, tool)
            self._waiting += [
                (_INSERT, (*head, value, names.get(value, "erased"), *window, pixels))
                for value, pixels in counts.items()
            ]
        return number

    def mark(self, step: int, *, undone: bool) -> None:
        """Note that a step was taken back, or made again."""
        with self._lock:
            self._waiting.append((_MARK, (step, _now(), int(undone))))

    def flush(self) -> int:
        """Put what was added on disk and count the rows.

        Raises
        ------
        UserError
            The disk is full or read-only; what was added stays in memory.
        """
        with self._flushing:
            with self._lock:
                rows = list(self._waiting)
            if not rows:
                return 0
            self._put_damaged_aside()
            with self._open() as connection, connection:
                for statement, row in rows:
                    connection.execute(statement, row)
            with self._lock:
                del self._waiting[: len(rows)]
            return len(rows)

    def corrections(self) -> list[Correction]:
        """All that is on disk, oldest first; :meth:`flush` it before.

        Raises
        ------
        UserError
            When the file cannot be read.
        """
        if not self.path.exists():
            return []
        with self._open() as connection:
            return [_correction(row) for row in connection.execute(_SELECT)]

    def export_csv(self, path: Path) -> int:
        """Write the table as CSV and count its rows; see :data:`COLUMNS`.

        Raises
        ------
        UserError
            When the table cannot be read or the file cannot be written.
        """
        self.flush()
        found = self.corrections()
        try:
            _write_csv(path, found)
        except OSError as error:
            raise UserError(
                f"{path} cannot be written ({error.strerror or error}); choose another place."
            ) from error
        return len(found)

    def _put_damaged_aside(self) -> None:
        """Begin a new file where the old one is no table any more."""
        try:
            if self.path.exists():
                with closing(sqlite3.connect(self.path)) as connection:
                    _has_tables(connection)
        except sqlite3.OperationalError:  # locked, or the disk refuses: not damaged
            return
        except sqlite3.DatabaseError:
            self.path.replace(self.path.with_name("log.damaged.sqlite"))

    def _last_on_disk(self) -> int:
        if not self.path.exists():
            return 0
        try:
            with self._open() as connection:
                (last,) = connection.execute("SELECT MAX(step) FROM corrections").fetchone()
        except UserError:
            return 0
        return int(last or 0)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.path, timeout=10)) as connection:
                if not _has_tables(connection):
                    connection.executescript(_TABLES)
                yield connection
        except (sqlite3.Error, OSError) as error:
            raise UserError(
                f"The log of the corrections, {self.path}, cannot be used ({error});"
                " free some space, make it writable or move it away."
            ) from error


def _has_tables(connection: sqlite3.Connection) -> bool:
    found = connection.execute("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'")
    return bool(found.fetchone()[0] >= 2)


def _correction(row: tuple[Any, ...]) -> Correction:
    step, time, person, model, tool, value, says, y0, x0, height, width, pixels, undone = row
    window = Window(y0, x0, height, width)
    return Correction(step, time, person, model, tool, value, says, window, pixels, bool(undone))


def _write_csv(path: Path, found: Iterable[Correction]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for one in found:
            head = (one.step, one.time, one.person, one.model, one.tool, one.value, one.says)
            writer.writerow((*head, *one.window, one.pixels, int(one.undone)))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # an account without a name
        return "unknown"
