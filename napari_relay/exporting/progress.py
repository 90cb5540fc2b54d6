"""How far an export is."""

from __future__ import annotations

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
