"""A training run's state between two steps."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, replace
from importlib.util import find_spec
from typing import Any

from napari_relay import __version__
from napari_relay.training.descent import Descent
from napari_relay.training.evaluation import evaluate
from napari_relay.training.examples import Batch, Example
from napari_relay.training.improvement import Improvement
from napari_relay.training.metrics import Scores
from napari_relay.training.options import TrainOptions
from napari_relay.training.plots import write_plots
from napari_relay.training.processes import Processes
from napari_relay.training.progress import TrainLoss, TrainProgress
from napari_relay.training.run_folder import RECORD, RunFolder
from napari_relay.training.run_logs import RunLogs
from napari_relay.training.run_record import RunRecord
from napari_relay.training.schedules import Schedule
from relay_tokens import Checkpoint, ModelMetadata, RelaySegmenter, load_checkpoint

CHANGEABLE = {"device", "devices", "plots", "precision", "save_every"}
"""Options that may be others when a run is resumed."""


class TrainingRun:
    """Does steps, and what is due after them; :meth:`close` it at the end.

    Every process has one, and all do the same. The first one alone writes files and
    measures, and tells the others.

    Parameters
    ----------
    model
        Trained in place.
    metadata
        Classes and normalisation.
    options
        How.
    folder
        Opened already; the run goes on where its last checkpoint says.
    processes
        Who trains together.
    """

    def __init__(
        self,
        model: RelaySegmenter,
        metadata: ModelMetadata,
        options: TrainOptions,
        folder: RunFolder,
        processes: Processes,
    ) -> None:
        self.model, self.metadata, self.options = model, metadata, options
        self.folder, self.processes = folder, processes
        self.step, self.seconds = 0, 0.0
        self.improvement = Improvement(options.early_stopping)
        self.descent = Descent(model, options, processes)
        self.schedule = Schedule(self.descent.optimizer, options)
        self._record = RunRecord(folder.path / RECORD)
        self._resume()
        self._notes: tuple[str, ...] = ()
        self._logs: RunLogs | None = None
        if processes.is_first and not self.is_over:
            self._notes = (*self._started(), *_missing())
            self._logs = RunLogs(folder.path, metadata.classes.names, self.step)

    @property
    def is_over(self) -> bool:
        """Whether there is nothing more to learn."""
        return self.step >= self.options.steps or self.improvement.is_over

    def advance(self, batch: Batch, held_out: list[Example]) -> TrainProgress:
        """Do one step, and what is due after it.

        Parameters
        ----------
        batch
            This process's share.
        held_out
            What is measured on, in the first process.
        """
        started = time.perf_counter()
        self.schedule.before_step(self.step)
        loss = self.descent.step(self.step, batch)
        self.step += 1
        scores = self._evaluate(held_out) if self._is_due(self.options.evaluate_every) else None
        self.seconds += time.perf_counter() - started
        progress = self._progress(loss, scores)
        if self._logs is not None:
            self._logs.write(progress)
        if self._is_due(self.options.save_every) or self.is_over:
            self.save()
        return progress

    def save(self) -> None:
        """Write where to go on."""
        if self._logs is None:
            return
        self._logs.flush()
        self.folder.save(
            {
                "settings": settings_of(self.model, self.options),
                "step": self.step,
                "seconds": self.seconds,
                "model": self.model.state_dict(),
                "optimizer": self.descent.optimizer.state_dict(),
                "precision": self.descent.precision.state_dict(),
                "schedule": self.schedule.state_dict(),
                **self.improvement.state_dict(),
            }
        )

    def finish(self, held_out: list[Example]) -> None:
        """Take the best weights, write down how the run ended, and draw it."""
        best = self._best() if self.processes.is_first else None
        weights = None if best is None else best.model.state_dict()
        weights = self.descent.fabric.broadcast(weights)
        if weights is not None:
            self.model.load_state_dict(weights)
        self.descent.forget()
        self.model.eval()
        if best is not None and not self._record.has_ended:
            self._draw(best.metadata, held_out)
            self._record_end(best)

    def close(self) -> None:
        """End the logs."""
        if self._logs is not None:
            self._logs.close()

    def _resume(self) -> None:
        state = self.folder.load() if self.processes.is_first else None
        state = self.descent.fabric.broadcast(state)
        if state is None:
            return
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.model.load_state_dict(state["model"])
        self.descent.optimizer.load_state_dict(state["optimizer"])
        self.descent.precision.load_state_dict(state.get("precision", {}))
        self.schedule.load_state_dict(state["schedule"])
        self.improvement.load_state_dict(state)

    def _started(self) -> tuple[str, ...]:
        """Write down how the run was started; returns what a person should know."""
        facts = {
            "command": self.metadata.training.get("command", ""),
            "seed": self.options.seed,
            "classes": list(self.metadata.classes.names),
            "device": str(self.descent.fabric.device),
            "processes": self.processes.count,
        }
        return self._record.start(self.step, facts)

    def _progress(self, loss: TrainLoss, scores: Scores | None) -> TrainProgress:
        notes, self._notes = self._notes, ()
        if self.improvement.is_over:
            notes = (*notes, f"Training ended at step {self.step}: {self._reason()}.")
        best = self.improvement.miou
        return TrainProgress(
            step=self.step,
            steps=self.options.steps,
            loss=loss,
            learning_rate=self.schedule.learning_rate,
            seconds=self.seconds,
            scores=scores,
            best_miou=best if math.isfinite(best) else math.nan,
            notes=notes,
        )

    def _evaluate(self, held_out: list[Example]) -> Scores:
        scores = self._measure(held_out) if self.processes.is_first else None
        scores = self.descent.fabric.broadcast(scores)
        assert scores is not None
        self.schedule.after_evaluation(self.step, scores.miou)
        is_best = self.improvement.note(self.step, scores.miou)
        if self.processes.is_first and (is_best or not self.folder.best.exists()):
            self.folder.save_best(self.model, self._described(scores))
        return scores

    def _measure(self, held_out: list[Example]) -> Scores:
        with self.descent.fabric.autocast():
            return evaluate(self.model, held_out, self.options.batch_size)

    def _described(self, scores: Scores) -> ModelMetadata:
        record = {
            **self.metadata.training,
            "napari_relay": __version__,
            "steps": self.step,
            "seconds": round(self.seconds),
            "held_out": rounded_scores(scores, self.metadata),
            "options": lasting(self.options),
        }
        return replace(self.metadata, training=record)

    def _best(self) -> Checkpoint | None:
        return load_checkpoint(self.folder.best) if self.folder.best.exists() else None

    def _reason(self) -> str:
        return self.improvement.sentence() if self.improvement.is_over else "all steps were done"

    def _record_end(self, best: Checkpoint) -> None:
        """Write down why training ended, in the record and, where it was early, in the model."""
        self._record.end(self.step, self._reason())
        if self.improvement.is_over and "ended" not in best.metadata.training:
            ended = {"step": self.step, "reason": self._reason()}
            training = {**best.metadata.training, "ended": ended}
            self.folder.save_best(best.model, replace(best.metadata, training=training))

    def _draw(self, metadata: ModelMetadata, held_out: list[Example]) -> None:
        if self.options.plots and find_spec("matplotlib"):
            scores, checkpoint = self._measure(held_out), Checkpoint(self.model, metadata)
            write_plots(self.folder.path, checkpoint, scores, held_out)

    def _is_due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.options.steps


def settings_of(model: RelaySegmenter, options: TrainOptions) -> dict[str, Any]:
    """What a resumed run must share with the run it goes on with."""
    return {"model": asdict(model.config), "options": lasting(options)}


def lasting(options: TrainOptions) -> dict[str, Any]:
    """The options that a resumed run must share."""
    return {name: value for name, value in asdict(options).items() if name not in CHANGEABLE}


def _missing() -> tuple[str, ...]:
    """Say which packages are missing that a run can do without."""
    wanted = {"tensorboard": "events for TensorBoard", "matplotlib": "plots"}
    return tuple(
        f"There will be no {what}, since {package} is not installed; pip install "
        "'napari-relay[train]' brings it."
        for package, what in wanted.items()
        if find_spec(package) is None
    )


def rounded_scores(scores: Scores, metadata: ModelMetadata) -> dict[str, Any]:
    """Scores as JSON, to four places; a class that does not occur is None."""
    iou = [None if math.isnan(v) else round(float(v), 4) for v in scores.iou]
    return {
        "miou": round(scores.miou, 4),
        "accuracy": round(scores.accuracy, 4),
        "iou": dict(zip(metadata.classes.names, iou, strict=True)),
        "pixels": int(scores.confusion.sum()),
    }
