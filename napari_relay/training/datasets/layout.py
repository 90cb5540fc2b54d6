"""What lies in a dataset's folder, and what to say when it does not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from relay_tokens import UserError

AT_MOST = 3
"""Names that a sentence lists before it only counts."""


def require(folder: Path, part: str, layout: str) -> Path:
    """A file or folder that a dataset must have.

    Parameters
    ----------
    folder
        The dataset's.
    part
        Path inside it.
    layout
        The whole layout in words, e.g. ``"URUR: train/image, train/label, ..."``.

    Raises
    ------
    UserError
        When it is missing.
    """
    if not (folder / part).exists():
        raise not_laid_out(folder, f"{part} is missing", layout)
    return folder / part


def not_laid_out(folder: Path, reason: str, layout: str) -> UserError:
    """What to say of a folder that holds something else."""
    return UserError(f"{folder}: {reason}; expected the layout of {layout}.")


def files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """What has one of the suffixes (lower case, with the dot), by name, nothing hidden."""
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in suffixes and not path.name.startswith(".")
    )


def listed(names: Iterable[str]) -> str:
    """The first names, and how many more there are."""
    found = list(names)
    more = f" and {len(found) - AT_MOST} more" if len(found) > AT_MOST else ""
    return ", ".join(found[:AT_MOST]) + more
