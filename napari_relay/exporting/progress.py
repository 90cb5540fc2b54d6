"""How far an export is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ExportProgress:
    """How far a file is written."""

    path: Path
    """The file or folder."""
    done: int
    """Parts that are written; the file is there when it is all of them."""
    total: int
    """All parts."""


def completed(steps: Iterable[ExportProgress]) -> Path:
    """Run an export to its end; the file or folder that it wrote."""
    *_, last = steps
    return last.path
