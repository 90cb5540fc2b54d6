"""The folder of a training run, from which it can be resumed.

::

    options.json          what the run was started with; a run with others is refused
    log.csv               one line a step: losses, learning rate, scores when measured
    last.pt               weights, optimiser, step: where to go on (torch, weights only)
    best/                 the model with the best held-out mIoU so far
"""

from __future__ import annotations

import csv
import json
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from relay_tokens import UserError

OPTIONS, LOG, LAST, BEST = "options.json", "log.csv", "last.pt", "best"


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes one run's files, each whole or not at all."""

    path: Path
    """The folder; made when it is not there."""

    @property
    def best(self) -> Path:
        """Folder of the best model so far."""
        return self.path / BEST

    def open(self, settings: Mapping[str, Any]) -> None:
        """Start the run, or make sure that it was started with the same settings.

        Raises
        ------
        UserError
            When the folder cannot be written, or holds a run with other settings.
        """
        text = json.dumps(settings, indent=2, sort_keys=True) + "\n"
        file = self.path / OPTIONS
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_text(text)
        except OSError as error:
            raise UserError(
                f"The run folder {self.path} cannot be written ({error.strerror}); name another."
            ) from error
        if file.read_text() != text:
            raise UserError(
                f"{self.path} holds a run with other settings; name another folder, or repeat the "
                f"settings in {OPTIONS} to resume it."
            )

    def save(self, state: Mapping[str, Any]) -> None:
        """Write where to go on, replacing what was there in one step."""
        scratch = self.path / (LAST + ".part")
        try:
            torch.save(dict(state), scratch)
            scratch.replace(self.path / LAST)
        except (OSError, RuntimeError) as error:
            scratch.unlink(missing_ok=True)
            raise UserError(
                f"The run cannot be saved in {self.path} ({error}); free some disk space and "
                "start it again: it resumes from its last checkpoint."
            ) from error

    def load(self) -> dict[str, Any] | None:
        """Read where to go on; None for a new run. Runs no code from the file.

        Raises
        ------
        UserError
            When the file is damaged.
        """
        file = self.path / LAST
        if not file.exists():
            return None
        try:
            state: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as error:
            raise UserError(f"{file} is damaged; delete it to start the run anew.") from error
        return state

    def log(self, row: Mapping[str, Any]) -> None:
        """Append a line to the log, with a header when it is the first."""
        file = self.path / LOG
        is_new = not file.exists()
        with file.open("a", newline="") as stream:
            writer = csv.DictWriter(stream, list(row))
            if is_new:
                writer.writeheader()
            writer.writerow(row)

    def cut_log(self, step: int) -> None:
        """Drop the lines after ``step``: what a killed run did not save."""
        file = self.path / LOG
        if not file.exists():
            return
        header, *lines = file.read_text().splitlines() or [""]
        kept = [line for line in lines if line.split(",")[0].isdigit()]
        kept = [line for line in kept if int(line.split(",")[0]) <= step]
        scratch = file.with_suffix(".part")
        scratch.write_text("\n".join([header, *kept]) + "\n")
        scratch.replace(file)
