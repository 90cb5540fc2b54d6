"""What a training run writes down after each step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from napari_relay.training.metrics import Scores
from napari_relay.training.progress import TrainProgress
from napari_relay.training.run_folder import LOG, SCORES, TENSORBOARD
from napari_relay.training.step_table import StepTable
from napari_relay.training.tensorboard_log import TensorBoardLog, has_tensorboard


class RunLogs:
    """``log.csv``, ``scores.csv`` and TensorBoard's event files; :meth:`close` them at the end.

    Parameters
    ----------
    folder
        The run folder.
    classes
        Names, in the order of the scores.
    step
        Steps that are done; what was written of later ones is dropped.
    """

    def __init__(self, folder: Path, classes: Sequence[str], step: int) -> None:
        self._classes = tuple(classes)
        self._steps, self._scores = StepTable(folder / LOG), StepTable(folder / SCORES)
        self._steps.cut(step)
        self._scores.cut(step)
        self._events = TensorBoardLog(folder / TENSORBOARD, step) if has_tensorboard() else None

    def write(self, progress: TrainProgress) -> None:
        """Write down a step."""
        self._steps.append(_log_row(progress))
        if progress.scores is not None:
            self._scores.append(_score_row(progress.step, progress.scores, self._classes))
        if self._events is not None:
            self._events.write(progress.step, _events(progress, self._classes))

    def flush(self) -> None:
        """Put on disk what was written: a run that goes on from here does not repeat it."""
        if self._events is not None:
            self._events.flush()

    def close(self) -> None:
        """End the logs."""
        if self._events is not None:
            self._events.close()


def _log_row(progress: TrainProgress) -> dict[str, object]:
    scores = progress.scores
    return {
        "step": progress.step,
        "seconds": f"{progress.seconds:.2f}",
        "learning_rate": f"{progress.learning_rate:.3g}",
        **{f"loss_{name}": f"{value:.5f}" for name, value in _losses(progress).items()},
        "miou": "" if scores is None else f"{scores.miou:.5f}",
        "accuracy": "" if scores is None else f"{scores.accuracy:.5f}",
    }


def _score_row(step: int, scores: Scores, classes: Sequence[str]) -> dict[str, object]:
    """A class that does not occur has no value."""
    named = zip(classes, scores.iou, strict=True)
    return {
        "step": step,
        "miou": f"{scores.miou:.5f}",
        "accuracy": f"{scores.accuracy:.5f}",
        **{f"iou {name}": "" if math.isnan(v) else f"{v:.5f}" for name, v in named},
    }


def _events(progress: TrainProgress, classes: Sequence[str]) -> dict[str, float]:
    values = {f"loss/{name}": value for name, value in _losses(progress).items()}
    values["learning_rate"] = progress.learning_rate
    if progress.scores is not None:
        values |= {"held_out/miou": progress.scores.miou}
        values |= {"held_out/accuracy": progress.scores.accuracy}
        named = zip(classes, progress.scores.iou, strict=True)
        values |= {f"iou/{name}": float(v) for name, v in named if not math.isnan(v)}
    return values


def _losses(progress: TrainProgress) -> dict[str, float]:
    return {name.rstrip("_"): float(value) for name, value in asdict(progress.loss).items()}
