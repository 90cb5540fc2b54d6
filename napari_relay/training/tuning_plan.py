"""Which models a tuning compares, and how long each may train."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import product
from typing import Any

import numpy as np
import torch

from napari_relay.training.labelled_image import held_out_places
from napari_relay.training.measured_split import Measured, draw_measured, with_crop_size
from napari_relay.training.options import TrainOptions
from napari_relay.training.runs import ModelOptions, model_config
from napari_relay.training.training_data import TrainingData
from napari_relay.training.training_run import lasting
from relay_tokens import RelaySegmenter, UserError

BATCH_TOLERANCE = 0.05
"""Share by which a batch may hold more or fewer labelled pixels than another."""
WARMUPS_BEFORE_JUDGED = 2
"""A run is compared with others when it is through with so many times its warm-up."""


@dataclass(frozen=True)
class TuneOptions:
    """What is tried, and how quickly the worse runs are stopped."""

    relay_tokens: tuple[int, ...] = (2, 4, 8)
    """Numbers of relay tokens."""
    context_factors: tuple[int, ...] = (2, 4, 8)
    """Widths of the global window in local ones."""
    crop_sizes: tuple[int, ...] = (64, 128, 256)
    """Sides of both crops, in pixels."""
    trials: int | None = None
    """Combinations that are tried, drawn at random; None: all."""
    reduction: int = 3
    """Of the runs that are compared, one in so many goes on, so many times longer."""

    def __post_init__(self) -> None:
        named = {"tokens": 0, "context_factors": 2, "crop_sizes": 8}
        for (name, least), values in zip(named.items(), self._lists(), strict=True):
            if not values or min(values) < least:
                raise UserError(f"{name} is {list(values)}; name numbers of at least {least}.")
        if self.reduction < 2:
            raise UserError(f"reduction is {self.reduction}; it must be at least 2.")
        if self.trials is not None and self.trials < 1:
            raise UserError(f"trials is {self.trials}; it must be at least 1.")

    def combinations(self) -> Iterator[Combination]:
        """Every combination once, in order."""
        lists = (dict.fromkeys(values) for values in self._lists())
        return (Combination(*values) for values in product(*lists))

    def _lists(self) -> tuple[tuple[int, ...], ...]:
        return self.relay_tokens, self.context_factors, self.crop_sizes


@dataclass(frozen=True, order=True)
class Combination:
    """What is tuned."""

    relay_tokens: int
    """Number of relay tokens."""
    context_factor: int
    """Width of the global window in local ones."""
    crop_size: int
    """Side of both crops, in pixels."""

    @property
    def name(self) -> str:
        """Of its run's folder."""
        return f"tokens{self.relay_tokens}-context{self.context_factor}-crop{self.crop_size}"


@dataclass(frozen=True)
class Candidate:
    """A model that is tried: everything :func:`napari_relay.training.train_model` needs."""

    combination: Combination
    """What sets it apart."""
    data: TrainingData
    """Split for its crop size; measured on the same pixels as every other."""
    model: ModelOptions
    """What it is made of."""
    options: TrainOptions
    """How it is trained when it goes on to the end."""
    parameters: int
    """Of the model."""


@dataclass(frozen=True)
class Ladder:
    """Successive halving: after how many steps runs are compared, and how many go on.

    The synchronous form of Jamieson and Talwalkar (AISTATS 2016): all runs reach a
    rung before any goes beyond it.
    """

    rungs: tuple[int, ...]
    """Steps, rising; the last is a whole run's."""
    reduction: int
    """One run in so many goes on to the next rung."""

    def survivors(self, entrants: int) -> int:
        """How many of the runs at a rung go on."""
        return max(entrants // self.reduction, 1)

    def total_steps(self, entrants: int) -> int:
        """Steps of all runs together."""
        total = before = 0
        for rung in self.rungs:
            total += entrants * (rung - before)
            entrants, before = self.survivors(entrants), rung
        return total


def build_ladder(entrants: int, options: TrainOptions, reduction: int) -> Ladder:
    """Place rungs so that the last comparison leaves few runs, and none comes too early.

    The longest run has ``options.steps`` steps or, where they are no multiple of the
    first rung, a few less.
    """
    share = WARMUPS_BEFORE_JUDGED * options.warmup_fraction
    most = min(entrants, options.steps, 1 / share if share else entrants)
    times = 1
    while times * reduction <= most:
        times *= reduction
    first, rungs = options.steps // times, [1]
    while rungs[-1] < times:
        rungs.append(rungs[-1] * reduction)
    return Ladder(tuple(first * rung for rung in rungs), reduction)


@dataclass(frozen=True)
class TuningPlan:
    """All that is decided before the first step."""

    candidates: tuple[Candidate, ...]
    """What is tried, in the order of the first rung."""
    ladder: Ladder
    """How long."""
    measured: Measured
    """The held-out windows that every candidate is measured on."""
    skipped: tuple[str, ...]
    """A sentence on each combination that cannot be tried."""

    def settings(self) -> dict[str, Any]:
        """What a tuning must share with the one it goes on with, as JSON."""
        first = self.candidates[0]
        return {
            "candidates": [asdict(candidate.combination) for candidate in self.candidates],
            "rungs": self.ladder.rungs,
            "reduction": self.ladder.reduction,
            "backbone": [first.model.backbone, dict(first.model.backbone_options)],
            "options": lasting(first.options),
            "data": [first.data.description, first.data.labels, first.data.classes.names],
            "measured": [[list(window) for window in windows] for windows in self.measured],
        }


def plan_tuning(
    data: TrainingData, model: ModelOptions, options: TrainOptions, choices: TuneOptions
) -> TuningPlan:
    """Decide what is tried.

    Parameters
    ----------
    data
        Split for the largest of the crop sizes.
    model
        What all candidates share; its crop size, context factor and number of relay
        tokens are not used.
    options
        Of a whole run. ``batch_size`` and ``validation_crops`` count crops of the
        largest size; those of a smaller one get as many pixels. ``evaluate_every`` is
        not used.
    choices
        What is tried.

    Raises
    ------
    UserError
        When a value is not possible, or no combination fits.
    """
    measured = draw_measured(data.images, options.validation_crops, options.seed)
    planner = _Planner(data, measured, model, options, max(choices.crop_sizes))
    fitting = [c for c in choices.combinations() if not planner.misfit(c)]
    if not fitting:
        raise UserError(f"No combination can be tried: {' '.join(planner.reasons())}")
    tried = _drawn(fitting, choices.trials, options.seed)
    ladder = build_ladder(len(tried), options, choices.reduction)
    candidates = tuple(planner.candidate(combination, ladder) for combination in tried)
    return TuningPlan(candidates, ladder, measured, planner.reasons())


def _drawn(fitting: Sequence[Combination], trials: int | None, seed: int) -> list[Combination]:
    """Some combinations at random, none twice."""
    order = np.random.default_rng([seed, 7]).permutation(len(fitting))
    return sorted(fitting[number] for number in order[:trials])


class _Planner:
    """Fits what all candidates share to each of them."""

    def __init__(
        self,
        data: TrainingData,
        measured: Measured,
        model: ModelOptions,
        options: TrainOptions,
        largest: int,
    ) -> None:
        self.data, self.measured = data, measured
        self.model, self.options, self.largest = model, options, largest
        self._misfits: dict[tuple[int, ...], str] = {}
        self._resized: dict[int, TrainingData] = {}

    def misfit(self, combination: Combination) -> str:
        """Why a combination cannot be tried; empty when it can."""
        side, factor = combination.crop_size, combination.context_factor
        for key, find in (((side,), self._size_misfit), ((side, factor), self._factor_misfit)):
            if key not in self._misfits:
                self._misfits[key] = find(combination)
            if self._misfits[key]:
                return self._misfits[key]
        return ""

    def reasons(self) -> tuple[str, ...]:
        """All reasons found so far, once each."""
        return tuple(reason for reason in self._misfits.values() if reason)

    def candidate(self, combination: Combination, ladder: Ladder) -> Candidate:
        """Everything one run needs."""
        data = self._data(combination.crop_size)
        options = replace(
            self.options,
            batch_size=self._batch_size(combination.crop_size),
            steps=ladder.rungs[-1],
            evaluate_every=ladder.rungs[0],
            validation_crops=len(held_out_places(data.images)),
            early_stopping=0,
        )
        parameters = count_parameters(data, self._model(combination))
        return Candidate(combination, data, self._model(combination), options, parameters)

    def _size_misfit(self, combination: Combination) -> str:
        side = combination.crop_size
        wanted = self.options.batch_size * self.largest**2
        if abs(self._batch_size(side) * side**2 / wanted - 1) > BATCH_TOLERANCE:
            return (
                f"Crops of {side} px are left out: no number of them has as many pixels as "
                f"{self.options.batch_size} crops of {self.largest} px; choose another batch size."
            )
        try:
            count_parameters(self.data, self._model(combination))
        except UserError as error:
            return f"Crops of {side} px are left out: {error}"
        return ""

    def _factor_misfit(self, combination: Combination) -> str:
        side, factor = combination.crop_size, combination.context_factor
        if side % factor == 0:
            return ""
        return (
            f"Crops of {side} px with a context factor of {factor} are left out: the middle of "
            "the global crop that the loss compares has no whole number of pixels."
        )

    def _batch_size(self, side: int) -> int:
        return max(round(self.options.batch_size * self.largest**2 / side**2), 1)

    def _data(self, side: int) -> TrainingData:
        if side not in self._resized:
            self._resized[side] = with_crop_size(self.data, self.measured, side)
        return self._resized[side]

    def _model(self, combination: Combination) -> ModelOptions:
        return replace(
            self.model,
            name=combination.name,
            crop_size=combination.crop_size,
            context_factor=combination.context_factor,
            num_relay_tokens=combination.relay_tokens,
        )


def count_parameters(data: TrainingData, model: ModelOptions) -> int:
    """Parameters of a model, without room for its weights.

    Raises
    ------
    UserError
        When the backbone does not fit the crop size.
    """
    with torch.device("meta"):
        network = RelaySegmenter(model_config(data, model))
    return sum(parameter.numel() for parameter in network.parameters())
