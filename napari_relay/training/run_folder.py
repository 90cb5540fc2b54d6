"""The folder of a training run, from which it can be resumed.

::

    options.json          what the run was started with; a run with others is refused
    run.json              versions, command, classes and devices of every start; how it ended
    log.csv               one line a step: losses, learning rate, scores when measured
    scores.csv            one line an evaluation: IoU of each class
    tensorboard/          the same for TensorBoard, where it is installed
    last.pt               weights, optimiser, step: where to go on (torch, weights only)
    best/                 the model with the best held-out mIoU so far
    plots/                pictures of the finished run
    writing.lock          held while a process trains here
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from napari_relay.whole_file import write_whole
from relay_tokens import ModelMetadata, RelaySegmenter, UserError, save_checkpoint

OPTIONS, RECORD, LAST, BEST = "options.json", "run.json", "last.pt", "best"
LOG, SCORES, TENSORBOARD = "log.csv", "scores.csv", "tensorboard"


@dataclass(frozen=True)
class RunFolder:
    """Reads and writes one run's files, each whole or not at all."""

    path: Path
    """The folder; made when it is not there."""

    @property
    def best(self) -> Path:
        """Folder of the best model so far."""
        return self.path / BEST

    def make(self) -> None:
        """Make the folder.

        Raises
        ------
        UserError
            When it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error

    def open(self, settings: Mapping[str, Any]) -> None:
        """Start the run, or make sure that it was started with the same settings.

        Mends what a killed process left.

        Raises
        ------
        UserError
            When the folder cannot be written, or holds a run with other settings.
        """
        self.make()
        file = self.path / OPTIONS
        settings = json.loads(json.dumps(settings))
        found = _read_json(file)
        # A computer that went down may leave the file empty; the checkpoint has them, too.
        known = found if found is not None else (self.load() or {}).get("settings")
        if known not in (None, settings):
            raise self._other_settings()
        try:
            if found is None:
                write_whole(file, json.dumps(settings, indent=2, sort_keys=True) + "\n")
            self._mend_best()
        except OSError as error:
            raise self._unwritable(error) from error

    def save(self, state: Mapping[str, Any]) -> None:
        """Write where to go on, replacing what was there in one step.

        ``state["settings"]``, where it is there, is what :meth:`open` was told.
        """
        scratch = self.path / (LAST + ".part")
        try:
            with scratch.open("wb") as stream:
                torch.save(dict(state), stream)
                stream.flush()
                os.fsync(stream.fileno())
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

    def save_best(self, model: RelaySegmenter, metadata: ModelMetadata) -> None:
        """Write the best model; weights and description are replaced together.

        A process that is killed on the way leaves the one or the other model whole.
        """
        new, old = self._scratch_models
        shutil.rmtree(new, ignore_errors=True)
        save_checkpoint(new, model, metadata)
        if self.best.exists():
            self.best.rename(old)
        new.rename(self.best)
        shutil.rmtree(old, ignore_errors=True)

    def _mend_best(self) -> None:
        """Finish or undo what a killed :meth:`save_best` began."""
        new, old = self._scratch_models
        if old.exists() and not self.best.exists():
            old.rename(self.best)
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)

    @property
    def _scratch_models(self) -> tuple[Path, Path]:
        return self.path / (BEST + ".new"), self.path / (BEST + ".old")

    def _unwritable(self, error: OSError) -> UserError:
        return UserError(
            f"The run folder {self.path} cannot be written ({error.strerror}); name another."
        )

    def _other_settings(self) -> UserError:
        return UserError(
            f"{self.path} holds a run with other settings; name another folder, or repeat the "
            f"settings in {OPTIONS} to resume it."
        )


def _read_json(file: Path) -> object:
    """What a file holds; None when it is missing or not whole."""
    try:
        found: object = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return found
