"""Room for built levels: who uses them, and which are removed."""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import shutil
import time
import uuid
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from napari_relay.folders import HOME_VARIABLE, cache_folder
from relay_tokens import UserError

SIZE_VARIABLE = "NAPARI_RELAY_CACHE_GB"
"""Environment variable with the size of the cache of levels, in gigabytes."""
CACHE_GB = 50.0
"""Size of the cache of levels unless the variable is set."""
SUFFIX = ".ome.zarr"
"""End of the name of a folder of built levels."""
MAKING, REMOVING = ".making-", ".removing-"
"""Start of the name of a folder that is being set up, or removed."""
STALE_SECONDS = 3600
"""Age at which a folder that is being set up is that of a process that was killed."""
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
"""Errors of a folder in which nothing can be made."""


class InUse:
    """Marks a folder of levels as in use, until this object or its process ends."""

    def __init__(self, target: Path) -> None:
        path = _marks() / f"{target.name}.{uuid.uuid4().hex}"
        with contextlib.suppress(OSError):  # nothing can be removed where nothing can be written
            path.parent.mkdir(parents=True, exist_ok=True)
            lock = FileLock(path, thread_local=False)
            lock.acquire(blocking=False)
            weakref.finalize(self, _give_back, lock, path)
            os.utime(target)


def _give_back(lock: FileLock, path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
        lock.release()


def is_in_use(target: Path) -> bool:
    """Whether a living process has levels of this folder open."""
    return any(not _is_left_over(mark) for mark in _marks().glob(f"{glob.escape(target.name)}.*"))


def _is_left_over(mark: Path) -> bool:
    """Whether the process that made a mark has ended; the mark is then removed."""
    try:
        with FileLock(mark, thread_local=False).acquire(blocking=False):
            mark.unlink(missing_ok=True)
    except (Timeout, OSError):
        return False
    return True


def remove(target: Path) -> None:
    """Delete a folder of levels, so that it is never seen half deleted."""
    doomed = target.with_name(f"{REMOVING}{uuid.uuid4().hex}")
    with contextlib.suppress(OSError):
        target.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)
        lock_path(target).unlink(missing_ok=True)


def lock_path(target: Path) -> Path:
    """File that is locked by the process that builds the levels in a folder."""
    return target.with_name(f".{target.name}.lock")


def remove_old_versions(target: Path, versions: str) -> None:
    """Delete levels of older contents of the same image, and what killed processes left.

    Parameters
    ----------
    target
        The levels of its present content.
    versions
        Pattern of the names of all its levels.
    """
    for folder in target.parent.glob(versions):
        if folder != target and not is_in_use(folder):
            remove(folder)
    for folder in target.parent.glob(f"{REMOVING}*"):
        shutil.rmtree(folder, ignore_errors=True)
    for folder in target.parent.glob(f"{MAKING}*"):
        if time.time() - _last_use(folder) > STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def keep_within_bound(folder: Path) -> None:
    """Delete the levels that were used longest ago until the cache is small enough.

    Raises
    ------
    UserError
        When the environment variable is no number.
    """
    bound = cache_bytes()
    found = sorted(folder.glob(f"*{SUFFIX}"), key=_last_use)
    sizes = {path: _size(path) for path in found}
    total = sum(sizes.values())
    for path in found:
        if total > bound and not is_in_use(path):
            remove(path)
            total -= sizes[path]


def cache_bytes() -> float:
    """Size that the cache of levels may have.

    Raises
    ------
    UserError
        When the environment variable is no number.
    """
    text = os.environ.get(SIZE_VARIABLE, "")
    try:
        return float(text or CACHE_GB) * 1e9
    except ValueError as error:
        raise UserError(
            f"{SIZE_VARIABLE} is {text!r}, which is no number; set it to gigabytes, e.g. 50."
        ) from error


@contextmanager
def room_on_disk(folder: Path, image: Path, needed: int) -> Iterator[None]:
    """Refuse to start without room, and name the folder when it runs out all the same.

    Parameters
    ----------
    folder
        Where levels are written.
    image
        Whose levels.
    needed
        Bytes, at most.

    Raises
    ------
    UserError
        When the disk is full or the folder cannot be written to.
    """
    error = UserError(
        f"{image} needs up to {needed / 1e6:.0f} MB for its smaller levels in {folder}; "
        f"make room there or set {HOME_VARIABLE} to a folder on a larger disk."
    )
    try:
        existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
        if shutil.disk_usage(existing).free < needed:
            raise error
        yield
    except OSError as reason:
        if reason.errno in (errno.ENOSPC, errno.EDQUOT):
            raise error from reason
        if reason.errno in NOT_WRITABLE:
            raise UserError(
                f"{folder} cannot be written to, but {image} needs smaller levels there; "
                f"set {HOME_VARIABLE} to a folder that can."
            ) from reason
        raise


def _marks() -> Path:
    return cache_folder() / "in-use"


def _size(folder: Path) -> int:
    """Bytes of the files in a folder; those that vanish meanwhile do not count."""
    total = 0
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _last_use(folder: Path) -> float:
    """When levels were opened last; now for those that vanished meanwhile."""
    try:
        return folder.stat().st_mtime
    except OSError:
        return time.time()
