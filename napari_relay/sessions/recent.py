"""The sessions that a person worked on last, kept on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from napari_relay.folders import data_folder
from napari_relay.sessions.formats import read_manifest
from napari_relay.sessions.project import title, unnamed_folder
from napari_relay.whole_file import write_whole
from relay_tokens import UserError

MOST = 12
"""How many are kept; those worked on longest ago go first."""


@dataclass(frozen=True)
class RecentSession:
    """A session of the list, as it is on disk now."""

    folder: Path
    """Where it is."""
    name: str
    """What a person calls it."""
    images: tuple[str, ...]
    """Names of its images; empty where it cannot be read."""

    @property
    def is_unnamed(self) -> bool:
        """Whether nobody has saved it under a name."""
        return self.folder.parent == unnamed_folder()

    @property
    def missing(self) -> bool:
        """Whether it is gone, or cannot be read."""
        return not self.images


def recent_sessions() -> tuple[RecentSession, ...]:
    """The sessions worked on last, the latest first; empty where the record is damaged."""
    return tuple(_described(folder) for folder in _folders())


def remember_session(folder: Path) -> None:
    """Put a session first.

    Raises
    ------
    UserError
        When the list cannot be written.
    """
    folder = folder.absolute()
    _write([folder, *(known for known in _folders() if known != folder)][:MOST])


def forget_session(folder: Path) -> None:
    """Take a session off the list; the session itself stays.

    Raises
    ------
    UserError
        When the list cannot be written.
    """
    _write([known for known in _folders() if known != folder.absolute()])


def _described(folder: Path) -> RecentSession:
    try:
        manifest = read_manifest(folder)
    except UserError:
        return RecentSession(folder, folder.stem, ())
    names = tuple(entry.name for entry in manifest.images)
    return RecentSession(folder, title(folder, manifest), names)


def _folders() -> list[Path]:
    try:
        known = json.loads(_record().read_text(encoding="utf-8"))
        return [Path(folder) for folder in known][:MOST]
    except (OSError, ValueError, TypeError):
        return []


def _write(folders: list[Path]) -> None:
    record = _record()
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        write_whole(record, json.dumps([str(folder) for folder in folders], indent=1))
    except OSError as error:
        raise UserError(
            f"The list of recent sessions cannot be kept in {record.parent} ({error.strerror}); "
            "make room there or change its permissions."
        ) from error


def _record() -> Path:
    return data_folder() / "recent-sessions.json"
