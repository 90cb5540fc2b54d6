"""Choosing relay tokens, context factor and crop size by short runs."""

from __future__ import annotations

import math
import shutil
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from napari_relay.inference.devices import choose_device
from napari_relay.inference.lock import WriteLock
from napari_relay.training.plots import read_log
from napari_relay.training.run_folder import BEST, LAST, LOG, RunFolder
from napari_relay.training.runs import RUN, train_model
from napari_relay.training.training import TrainProgress
from napari_relay.training.tuned_run import TunedRun
from napari_relay.training.tuning_plan import Candidate, Combination, TuningPlan
from relay_tokens import UserError

if TYPE_CHECKING:
    from napari_relay.training.tuning_study import TuningStudy

RUNS = "runs"
"""Folder of the runs in a tuning's folder."""


@dataclass(frozen=True)
class TuneProgress:
    """Where a tuning is after a step."""

    done: int
    """Steps done, of all runs together."""
    total: int
    """Steps in all, of those that are stopped only the ones they get."""
    combination: Combination
    """Of the run that did the step."""
    run: TrainProgress
    """Where that run is."""


def tune(plan: TuningPlan, output: Path) -> Generator[TuneProgress, None, list[TunedRun]]:
    """Train all candidates a little, the better ones on, and the best to the end.

    ``output`` gets a folder a run under ``runs`` and the Optuna study
    ``study.journal``. It can be closed at any step; the same call on the same folder
    goes on there. A run that goes on starts where it stopped; of a run that was
    stopped as one of the worse only the log stays.

    Parameters
    ----------
    plan
        What is tried (:func:`napari_relay.training.tuning_plan.plan_tuning`).
    output
        Folder; made when it is not there.

    Yields
    ------
    TuneProgress
        After every step.

    Returns
    -------
    list[TunedRun]
        Those that got furthest first, and of these the best.

    Raises
    ------
    UserError
        When the extra ``train`` is missing, the folder holds something else or another
        process works in it, nothing is labelled where it is measured, or no run fits
        into memory.
    """
    require_optuna()
    RunFolder(output).open(plan.settings())
    with WriteLock(output, output).held():
        from napari_relay.training.tuning_study import TuningStudy

        return (yield from _Tuning(plan, output, TuningStudy(output, plan)).climb())


def require_optuna() -> None:
    """Make sure that runs can be compared, before a long one.

    Raises
    ------
    UserError
        When Optuna is not installed.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise UserError("Tuning needs Optuna; run: pip install 'napari-relay[train]'") from error


class _Tuning:
    """A tuning's runs, all of which climb the ladder rung by rung."""

    def __init__(self, plan: TuningPlan, output: Path, study: TuningStudy) -> None:
        self.plan, self.study, self.folder = plan, study, output / RUNS
        self.candidates = {candidate.combination: candidate for candidate in plan.candidates}
        self.device = choose_device(plan.candidates[0].options.device)
        self.total = plan.ladder.total_steps(len(plan.candidates))
        self.steps = {run.combination: run.steps for run in study.runs()}

    def climb(self) -> Generator[TuneProgress, None, list[TunedRun]]:
        """Bring all runs to each rung, and stop the worse ones there."""
        for rung in self.plan.ladder.rungs:
            for number, combination in self.study.running().items():
                yield from self._go_on(number, self.candidates[combination], rung)
            self.study.stop_losers()
            self._clear()
        runs = self.study.runs()
        if all(run.outcome == "failed" for run in runs):
            raise UserError(
                f"{self.device} has too little memory for any of these models; choose a smaller "
                "batch size, crop size or backbone."
            )
        return runs

    def _go_on(self, number: int, candidate: Candidate, rung: int) -> Iterator[TuneProgress]:
        """Train a run up to a rung, if it is not there, and take note of it."""
        is_last = rung == self.plan.ladder.rungs[-1]
        # A killed process may have measured more than it took note of.
        self._record(number, candidate)
        if self.study.has(number, rung) and not is_last:
            return
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        try:
            yield from self._train(candidate, rung)
        except torch.OutOfMemoryError:
            self.study.fail(number)
            return
        self._record(number, candidate)
        if self.device.type == "cuda":
            self.study.record_memory(number, torch.cuda.max_memory_allocated(self.device))
        if is_last:
            self.study.finish(number)

    def _train(self, candidate: Candidate, rung: int) -> Iterator[TuneProgress]:
        folder = self._folder(candidate.combination)
        run = train_model(candidate.data, folder, candidate.model, candidate.options)
        # Closing a run saves it.
        with closing(cast("Generator[TrainProgress]", run)):
            for state in run:
                _check_labelled(state)
                self.steps[candidate.combination] = state.step
                done = sum(self.steps.values())
                yield TuneProgress(done, self.total, candidate.combination, state)
                # The last step is left to the run, which then writes its model.
                if rung <= state.step < state.steps:
                    return

    def _record(self, number: int, candidate: Candidate) -> None:
        """Tell the study of the evaluations in a run's log."""
        file = self._folder(candidate.combination) / RUN / LOG
        if not file.exists():
            return
        log = read_log(file)
        measured = np.flatnonzero(~np.isnan(log["miou"]))
        miou = {int(log["step"][row]): float(log["miou"][row]) for row in measured}
        self.study.record(number, miou, float(log["seconds"][-1] / log["step"][-1]))

    def _clear(self) -> None:
        """Delete the weights of the runs that will not go on."""
        for combination in self.study.stopped():
            folder = self._folder(combination) / RUN
            (folder / LAST).unlink(missing_ok=True)
            shutil.rmtree(folder / BEST, ignore_errors=True)

    def _folder(self, combination: Combination) -> Path:
        return self.folder / combination.name


def _check_labelled(state: TrainProgress) -> None:
    if state.scores is not None and math.isnan(state.scores.miou):
        raise UserError(
            "None of the held-out windows has a label; hold out more of the images, measure on "
            "more windows, or choose another seed."
        )
