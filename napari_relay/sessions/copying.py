"""Copying a session to another place, whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from napari_relay.sessions.formats import SUFFIX, write_manifest
from napari_relay.sessions.project import Project, seen_from
from relay_tokens import UserError

_OWN_FILES = (".lock", ".holder", ".part", ".partial")
"""What belongs to a running process, by the end of its name."""
_EVERY = 1 << 22
"""Bytes after which progress is told."""


@dataclass(frozen=True)
class CopyProgress:
    """How far a copy is."""

    done: int
    """Bytes copied."""
    total: int
    """Bytes in all, as they were counted at the beginning."""


class SessionCopy:
    """A copy of a session that is made beside the place where it will be.

    :meth:`run` copies while the work goes on; :meth:`finish` catches up with
    what has changed meanwhile, and puts the copy in its place in one step.
    Nothing of the session that is copied is changed.

    Parameters
    ----------
    project
        What is copied.
    target
        Where to; the name is given the suffix of sessions if it lacks it.

    Raises
    ------
    UserError
        When there is something already, or the copy would lie in the session itself.
    """

    def __init__(self, project: Project, target: Path) -> None:
        self.target = with_suffix(target.absolute())
        if self.target.exists():
            raise UserError(f"{self.target} exists already; choose another name.")
        if project.folder in self.target.parents:
            raise UserError(f"{self.target} lies within the session itself; choose another place.")
        self._project = project
        self._scratch = self.target.with_name(self.target.name + ".part")
        self._copied: dict[Path, tuple[int, int]] = {}

    def run(self) -> Iterator[CopyProgress]:
        """Copy all that lies on disk now. For a worker thread.

        Raises
        ------
        UserError
            When it cannot be written; nothing is left of the copy then.
        """
        with self._telling():
            shutil.rmtree(self._scratch, ignore_errors=True)
            self._scratch.mkdir(parents=True)
            yield from self._catch_up()

    def finish(self) -> Path:
        """Copy what has changed since, write the manifest, and put the copy in its place.

        The session must not be written meanwhile.

        Returns
        -------
        Path
            The folder of the new session.

        Raises
        ------
        UserError
            As :meth:`run`.
        """
        with self._telling():
            for _ in self._catch_up():
                pass
            self._remove_what_is_gone()
            old, manifest = self._project.folder, self._project.manifest
            folders = [folder for _, folder in self._folders()]
            write_manifest(self._scratch, seen_from(manifest, old, self.target, folders))
            self._scratch.replace(self.target)
        return self.target

    def abandon(self) -> None:
        """Leave nothing of the copy."""
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _folders(self) -> list[tuple[Path, str]]:
        """Of each image its folder now, and its name in the copy."""
        taken: list[tuple[Path, str]] = []
        for number, entry in enumerate(self._project.manifest.images):
            now = self._project.image_folder(entry)
            name = now.name if entry.folder != "." else f"{number}-{entry.image.fingerprint}"
            taken.append((now, f"images/{name}"))
        return taken

    def _files(self) -> Iterator[tuple[Path, Path]]:
        """Every file of the images' folders, and its place in the copy."""
        for folder, name in self._folders():
            for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
                relative = path.relative_to(folder)
                mine = relative.parts[:1] not in (("session.json",), ("images",))
                if mine and path.is_file() and path.suffix not in _OWN_FILES:
                    yield path, self._scratch / name / relative

    def _catch_up(self) -> Iterator[CopyProgress]:
        """Copy what is not copied yet, or has changed since."""
        todo = [(path, to) for path, to in self._files() if _stamp(path) != self._copied.get(path)]
        total, done, told = sum(_size(path) for path, _ in todo), 0, 0
        yield CopyProgress(0, total)
        for path, to in todo:
            stamp = _stamp(path)
            if stamp is not None and _copy(path, to):
                self._copied[path] = stamp
                done += stamp[0]
            if done - told >= _EVERY:
                told = done
                yield CopyProgress(done, total)
        yield CopyProgress(total, total)

    def _remove_what_is_gone(self) -> None:
        kept = {to for _, to in self._files()}
        for path in list(self._scratch.rglob("*")):
            if path.is_file() and path not in kept:
                path.unlink()

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Turn what the disk says into a sentence, and leave nothing half-done."""
        try:
            yield
        except (OSError, UserError, GeneratorExit) as error:
            self.abandon()
            if not isinstance(error, OSError):
                raise
            raise UserError(
                f"The session cannot be saved as {self.target} ({error.strerror or error}); choose "
                "a place that can be written, with enough room. It stays where it was."
            ) from error


def with_suffix(path: Path) -> Path:
    """A path that ends as a session's does."""
    return path if path.suffix.lower() == SUFFIX else path.with_name(path.name + SUFFIX)


def free_predictions(folder: Path) -> None:
    """Delete the predictions in an image's folder, which can be computed again."""
    shutil.rmtree(folder / "predictions", ignore_errors=True)


def _copy(path: Path, to: Path) -> bool:
    """Copy a file; False when it has gone meanwhile."""
    to.parent.mkdir(parents=True, exist_ok=True)
    try:
        shutil.copy2(path, to)
    except FileNotFoundError:
        return False
    return True


def _stamp(path: Path) -> tuple[int, int] | None:
    """Size and time of a file, by which a change is told; None: it is gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_size, found.st_mtime_ns


def _size(path: Path) -> int:
    stamp = _stamp(path)
    return stamp[0] if stamp is not None else 0
