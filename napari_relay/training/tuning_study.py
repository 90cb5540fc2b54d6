"""How far each run of a tuning is, in an Optuna study on disk. Needs the extra ``train``."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import optuna
from optuna.distributions import CategoricalDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, TrialState, create_trial

from napari_relay.training.tuned_run import Outcome, TunedRun
from napari_relay.training.tuning_plan import Candidate, Combination, Ladder, TuningPlan
from relay_tokens import UserError

STUDY = "study.journal"
"""The study's file, which ``optuna-dashboard`` shows."""
NAME = "tune"
"""Of the study."""
OUTCOMES: Mapping[TrialState, Outcome] = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "stopped",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
}


class LadderPruner(optuna.pruners.BasePruner):
    """Stops a run that is not among the best at a rung that all have reached.

    Optuna's own ``SuccessiveHalvingPruner`` is the asynchronous form, made for many
    machines: it judges a run as soon as it reaches a rung, by those that were there
    before. With one machine the first run would always go on to the end, whatever
    comes after it, and a run that was stopped never goes on.

    Parameters
    ----------
    ladder
        Rungs, and how many runs go on.
    """

    def __init__(self, ladder: Ladder) -> None:
        self.ladder = ladder

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether a run ends at its last rung; to be asked when all have reached it."""
        rungs = [rung for rung in self.ladder.rungs[:-1] if rung in trial.intermediate_values]
        return any(not self._goes_on(study, trial, rung) for rung in rungs)

    def _goes_on(self, study: optuna.Study, trial: FrozenTrial, rung: int) -> bool:
        reached = [t for t in study.get_trials(deepcopy=False) if rung in t.intermediate_values]
        ranked = sorted(reached, key=lambda t: (-best_until(t, rung), t.number))
        best = {t.number for t in ranked[: self.ladder.survivors(len(ranked))]}
        return trial.number in best


def best_until(trial: FrozenTrial, step: float) -> float:
    """Highest held-out mIoU up to a step: that of the weights that are kept."""
    return max((v for s, v in trial.intermediate_values.items() if s <= step), default=math.nan)


class TuningStudy:
    """The study of a tuning; runs are told by their numbers.

    Parameters
    ----------
    folder
        Of the tuning. One process at a time may write.
    plan
        What is tried; made part of the study when it is new.

    Raises
    ------
    UserError
        When the study's file is damaged.
    """

    def __init__(self, folder: Path, plan: TuningPlan) -> None:
        self._storage = _open_storage(folder / STUDY)
        self._study = optuna.create_study(
            storage=self._storage,
            study_name=NAME,
            direction="maximize",
            # Never asked: the plan says what is tried.
            sampler=optuna.samplers.RandomSampler(),
            pruner=LadderPruner(plan.ladder),
            load_if_exists=True,
        )
        known = {_combination(trial) for trial in self._study.trials}
        new = [c for c in plan.candidates if c.combination not in known]
        self._study.add_trials([_as_trial(candidate, plan) for candidate in new])

    def running(self) -> dict[int, Combination]:
        """Runs that are neither at their end nor stopped, by number."""
        return {trial.number: _combination(trial) for trial in self._in(TrialState.RUNNING)}

    def stopped(self) -> list[Combination]:
        """Runs that will not go on."""
        return [_combination(trial) for trial in self._in(TrialState.PRUNED, TrialState.FAIL)]

    def has(self, number: int, step: int) -> bool:
        """Whether a run was measured after a step."""
        return step in self._study.trials[number].intermediate_values

    def record(self, number: int, miou: Mapping[int, float], seconds_per_step: float) -> None:
        """Take note of a run's evaluations, and of what they cost.

        Parameters
        ----------
        number
            Of the run.
        miou
            Held-out mIoU by step; those known already stay as they are.
        seconds_per_step
            On average.
        """
        trial = self._trial(number)
        known = self._study.trials[number].intermediate_values
        for step in sorted(set(miou) - set(known)):
            trial.report(miou[step], step)
        trial.set_user_attr("seconds_per_step", seconds_per_step)

    def record_memory(self, number: int, memory: int) -> None:
        """Take note of how many bytes of a device a run needed; the most counts."""
        trial = self._trial(number)
        trial.set_user_attr("memory", max(memory, trial.user_attrs.get("memory", 0)))

    def stop_losers(self) -> None:
        """Stop all runs that are not among the best of the rung they have reached."""
        for number in self.running():
            if self._trial(number).should_prune():
                self._study.tell(number, state=TrialState.PRUNED)

    def finish(self, number: int) -> None:
        """Take note that a run is at its end."""
        self._study.tell(number, best_until(self._study.trials[number], math.inf))

    def fail(self, number: int) -> None:
        """Take note that a run could not be trained."""
        self._study.tell(number, state=TrialState.FAIL)

    def runs(self) -> list[TunedRun]:
        """What all runs came to: those that got furthest first, and of these the best."""
        runs = [_tuned(trial) for trial in self._study.trials]
        return sorted(runs, key=lambda run: (-run.steps, -run.miou, run.combination))

    def _in(self, *states: TrialState) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False, states=states)

    def _trial(self, number: int) -> optuna.Trial:
        study = self._storage.get_study_id_from_name(NAME)
        identity = self._storage.get_trial_id_from_study_id_trial_number(study, number)
        return optuna.Trial(self._study, identity)


def _open_storage(file: Path) -> JournalStorage:
    # Optuna would write lines of its own among those of the progress bar.
    optuna.logging.disable_default_handler()
    try:
        _mend(file)
        return JournalStorage(JournalFileBackend(str(file), JournalFileOpenLock(str(file))))
    except (KeyError, OSError, ValueError) as error:
        raise UserError(
            f"The study {file} is damaged; delete its folder, or name another, to tune anew."
        ) from error


def _mend(file: Path) -> None:
    """Take away what a killed process left: its lock, and a line that has no end."""
    file.with_name(file.name + ".lock").unlink(missing_ok=True)
    if file.exists():
        with file.open("r+b") as stream:
            stream.truncate(stream.read().rfind(b"\n") + 1)


def _as_trial(candidate: Candidate, plan: TuningPlan) -> FrozenTrial:
    tried = [asdict(other.combination) for other in plan.candidates]
    params = asdict(candidate.combination)
    return create_trial(
        state=TrialState.RUNNING,
        params=params,
        distributions={
            name: CategoricalDistribution(sorted({other[name] for other in tried}))
            for name in params
        },
        user_attrs={
            "parameters": candidate.parameters,
            "batch_size": candidate.options.batch_size,
        },
    )


def _combination(trial: FrozenTrial) -> Combination:
    return Combination(**trial.params)


def _tuned(trial: FrozenTrial) -> TunedRun:
    about = trial.user_attrs
    return TunedRun(
        combination=_combination(trial),
        miou=best_until(trial, math.inf),
        steps=max(trial.intermediate_values, default=0),
        seconds_per_step=about.get("seconds_per_step", math.nan),
        parameters=about["parameters"],
        batch_size=about["batch_size"],
        memory=about.get("memory"),
        outcome=OUTCOMES[trial.state],
    )
