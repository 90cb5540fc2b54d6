"""A CSV file with one line a step."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StepTable:
    """A table whose first column is the step; it outlives a kill at any moment."""

    path: Path
    """Of the file; made with the first line."""

    def append(self, row: Mapping[str, object]) -> None:
        """Write a line, below a header when it is the first."""
        is_new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)

    def cut(self, step: int) -> None:
        """Drop the lines after ``step``, and those that are not whole.

        A killed run leaves lines of steps it will do again, the last of which may
        end in the middle.
        """
        if not self.path.exists():
            return
        with self.path.open(newline="", encoding="utf-8", errors="replace") as stream:
            header, *rows = list(csv.reader(stream)) or [[]]
        kept = {int(r[0]): r for r in rows if len(r) == len(header) and r[0].isdigit()}
        rows = [row for number, row in kept.items() if number <= step]
        if not rows:
            self.path.unlink()
            return
        scratch = self.path.with_name(self.path.name + ".part")
        with scratch.open("w", newline="", encoding="utf-8") as stream:
            csv.writer(stream).writerows([header, *rows])
        scratch.replace(self.path)
