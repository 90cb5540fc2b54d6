"""Files and folders that are there whole or not at all."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from relay_tokens import UserError

SIBLINGS = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qix", ".qpj", ".sbn", ".sbx", ".fix")
"""Suffixes of the files of a Shapefile, indices that other programs add among them."""


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary sibling that takes the path's place when nothing went wrong.

    Raises
    ------
    UserError
        When it cannot be written; what was at ``path`` is still there.
    """
    scratch = path.with_name(f".{uuid4().hex[:8]}{''.join(path.suffixes[-2:])}")
    try:
        with _writable(path):
            yield scratch
            scratch.replace(path)
    finally:
        if scratch.exists():
            scratch.unlink()


@contextmanager
def whole_files(path: Path) -> Iterator[Path]:
    """As :func:`whole_file`, of a file with siblings of the same stem (Shapefile).

    What is at ``path`` and beside it with another suffix of :data:`SIBLINGS` is
    replaced once all new files are there.

    Raises
    ------
    UserError
        When they cannot be written; what was there is still there.
    """
    scratch = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with _writable(path):
            scratch.mkdir()
            yield scratch / path.name
            for suffix in SIBLINGS:
                path.with_suffix(suffix).unlink(missing_ok=True)
            for part in scratch.iterdir():
                part.replace(path.with_name(part.name))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """As :func:`whole_file`, of a folder; what is there already is never replaced.

    Raises
    ------
    UserError
        When there is something at ``path``, or it cannot be written.
    """
    if path.exists():
        raise UserError(f"{path} exists already; choose another name or delete it.")
    scratch = path.with_name(f".{path.name}.{uuid4().hex[:8]}")
    try:
        with _writable(path):
            yield scratch
            scratch.replace(path)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _writable(path: Path) -> Iterator[None]:
    """Turn what the system says into a sentence that names the path."""
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
        remedy = "free some space" if full else "choose a folder that exists and can be written"
        raise UserError(
            f"{path} cannot be written ({error.strerror or error}); {remedy}."
        ) from error
