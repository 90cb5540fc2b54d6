"""A session on disk: a folder with a manifest, which several images may belong to."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from napari_relay.folders import data_folder
from napari_relay.sessions.formats import (
    MANIFEST,
    SUFFIX,
    read_manifest,
    write_manifest,
)
from napari_relay.sessions.lock import SessionLock
from napari_relay.sessions.manifest import ImageEntry, Manifest, ModelReference
from napari_relay.sessions.references import FileReference, relative_path
from relay_tokens import UserError

_IMAGES = "images"
_MOST_UNNAMED = 12


def unnamed_folder() -> Path:
    """Where the sessions lie that nobody has saved under a name."""
    return data_folder() / "unnamed"


def automatic_folder(stem: str, fingerprint: str) -> Path:
    """Where the work on an image is kept that belongs to no named session."""
    return data_folder() / "sessions" / f"{stem}-{fingerprint}"


class Project:
    """A session's folder, held by one process at a time, and what its manifest says.

    Parameters
    ----------
    folder
        The session's folder.
    manifest
        What it holds now.
    lock
        Held, or not.
    read_only
        Why nothing may be written; empty: it may.
    """

    def __init__(self, folder: Path, manifest: Manifest, lock: SessionLock, read_only: str) -> None:
        self.folder = folder
        self.read_only = read_only
        self._lock = lock
        self._manifest = manifest
        self._written: Manifest | None = manifest if (folder / MANIFEST).exists() else None
        self._writing = threading.Lock()

    @classmethod
    def create(cls, folder: Path) -> Project:
        """Begin a session in a new folder; its manifest is there after the first :meth:`flush`.

        Raises
        ------
        UserError
            When there is something already, or it cannot be written.
        """
        if folder.exists():
            raise UserError(f"{folder} exists already; choose another name for the session.")
        lock = SessionLock(folder, "session", folder.name)
        reason = lock.acquire()
        if reason:
            raise UserError(f"{reason} Choose another folder for the session.")
        return cls(folder, Manifest(), lock, "")

    @classmethod
    def create_unnamed(cls) -> Project:
        """Begin a session in the data folder, until it is saved under a name.

        Raises
        ------
        UserError
            As :meth:`create`.
        """
        stamp = f"{datetime.now():%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"
        return cls.create(unnamed_folder() / f"{stamp}{SUFFIX}")

    @classmethod
    def open(cls, folder: Path) -> Project:
        """Open a session of any known format; read-only when it cannot be held.

        Raises
        ------
        UserError
            As :func:`~napari_relay.sessions.formats.read_manifest`.
        """
        folder = folder.absolute()
        manifest = read_manifest(folder)
        lock = SessionLock(folder, "session", folder.name)
        return cls(folder, manifest, lock, lock.acquire())

    @property
    def manifest(self) -> Manifest:
        """What the session holds now, on disk or soon."""
        return self._manifest

    @property
    def is_unnamed(self) -> bool:
        """Whether nobody has saved it under a name."""
        return self.folder.parent == unnamed_folder()

    @property
    def name(self) -> str:
        """What a person calls it."""
        return title(self.folder, self.manifest)

    @property
    def can_be_taken_over(self) -> bool:
        """Whether it is read-only, and what held it has let it go."""
        return bool(self.read_only) and self._lock.is_free

    # --- where things are

    def image_folder(self, entry: ImageEntry) -> Path:
        """Folder of an image's corrections, predictions and model versions."""
        return Path(os.path.normpath(self.folder / entry.folder))

    def folder_for(self, stem: str, fingerprint: str) -> Path:
        """Folder for the work on an image, whether it belongs to the session yet or not."""
        for entry in self.manifest.images:
            if entry.image.fingerprint == fingerprint:
                return self.image_folder(entry)
        if self.is_unnamed or self.read_only:
            return automatic_folder(stem, fingerprint)
        return self.folder / _IMAGES / f"{stem}-{fingerprint}"

    def entry_folder(self, folder: Path) -> str:
        """How an :class:`ImageEntry` names the folder of an image."""
        return relative_path(folder, self.folder) or str(folder)

    def refer(self, path: Path, *, sized: bool = True) -> FileReference:
        """Refer to a file from this session; see :meth:`FileReference.of`."""
        return FileReference.of(path, self.folder, sized=sized)

    def image_files(self, entry: ImageEntry) -> tuple[Path, ...] | None:
        """Where the files of an image are now; None: one of them is not found."""
        found = [file.find(self.folder) for file in entry.image.files]
        paths = tuple(path for path in found if path is not None)
        return paths if paths and len(paths) == len(found) else None

    # --- writing

    def put(self, manifest: Manifest) -> None:
        """Remember this from now on; :meth:`flush` writes it."""
        self._manifest = manifest

    def flush(self) -> bool:
        """Write the manifest if it has changed; may be called in any thread.

        Returns
        -------
        bool
            Whether something was written.

        Raises
        ------
        UserError
            When it cannot be written; the next call tries again.
        """
        with self._writing:
            wanted = self._manifest
            if self.read_only or wanted == self._written or not wanted.images:
                return False
            write_manifest(self.folder, wanted)
            self._written = wanted
            return True

    def close(self) -> None:
        """Let another process have it."""
        self._lock.release()


def title(folder: Path, manifest: Manifest) -> str:
    """What a person calls a session: its folder's name, or its images while it has none."""
    if folder.suffix.lower() == SUFFIX and folder.parent != unnamed_folder():
        return folder.stem
    names = [entry.name for entry in manifest.images]
    more = f" + {len(names) - 1} more" if len(names) > 1 else ""
    return names[0] + more if names else folder.name


def seen_from(manifest: Manifest, old: Path, new: Path, folders: Sequence[str]) -> Manifest:
    """What a session remembers, for a copy of it in another folder.

    Parameters
    ----------
    manifest
        What it remembers now.
    old, new
        Folders of the session and of the copy.
    folders
        Of each image in the copy, as :attr:`ImageEntry.folder`.
    """
    images = tuple(
        replace(
            entry,
            folder=folder,
            image=replace(
                entry.image, files=tuple(f.seen_from(old, new) for f in entry.image.files)
            ),
            model=_model_seen_from(entry, old, new),
        )
        for entry, folder in zip(manifest.images, folders, strict=True)
    )
    return replace(manifest, images=images)


def _model_seen_from(entry: ImageEntry, old: Path, new: Path) -> ModelReference | None:
    model = entry.model
    if model is None or model.folder is None:
        return model
    return replace(model, folder=model.folder.seen_from(old, new))


def prune_unnamed() -> None:
    """Forget the unnamed sessions that were used longest ago; the work on their images stays."""
    for folder in list(_unnamed_by_age())[_MOST_UNNAMED:]:
        lock = SessionLock(folder, "session", folder.name)
        if lock.is_free:
            shutil.rmtree(folder, ignore_errors=True)


def _unnamed_by_age() -> Iterator[Path]:
    parent = unnamed_folder()
    found = parent.glob(f"*{SUFFIX}") if parent.is_dir() else ()
    yield from sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
