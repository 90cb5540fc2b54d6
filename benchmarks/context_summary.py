"""Means, spreads and ratios of what the benchmark of context found."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.context_plan import ABLATIONS, MODELS, Variant

TARGET = 1.15
"""Relay mIoU over that of the single-scale model."""
MOST_PARAMETERS = 0.02
"""Share that relay tokens may add to the single-scale model's parameters."""


@dataclass(frozen=True)
class Summary:
    """What one model reached on the test land."""

    label: str
    """In tables and plots."""
    miou: Mapping[int, float]
    """By seed, 0 to 1."""
    iou: Mapping[str, float]
    """By class, mean over the seeds."""
    calibration_error: float
    """Mean over the seeds."""
    params: int
    """Parameters."""
    contexts: tuple[Mapping[str, float], ...] = ()
    """By seed: what a blank global crop does (``changed``, ``miou``, ``miou_blank``)."""

    @property
    def mean(self) -> float:
        """mIoU over the seeds."""
        return statistics.mean(self.miou.values())

    @property
    def std(self) -> float | None:
        """Standard deviation of a sample (n - 1); None for one seed."""
        return statistics.stdev(self.miou.values()) if len(self.miou) > 1 else None

    def over(self, seeds: Collection[int]) -> Summary:
        """The same with the mIoU of some of its seeds."""
        return replace(self, miou={k: v for k, v in self.miou.items() if k in seeds})

    def ratio(self, other: Summary) -> float:
        """Mean mIoU over that of another model, both of the seeds that they share."""
        ours, theirs = self._paired(other)
        return statistics.mean(ours) / statistics.mean(theirs)

    def difference(self, other: Summary) -> float:
        """Mean mIoU less that of another model, both of the seeds that they share."""
        ours, theirs = self._paired(other)
        return statistics.mean(ours) - statistics.mean(theirs)

    def more_parameters(self, other: Summary) -> float:
        """Parameters over those of another model, less 1."""
        return (self.params - other.params) / other.params

    def _paired(self, other: Summary) -> tuple[list[float], list[float]]:
        shared = sorted(self.miou.keys() & other.miou.keys())
        return [self.miou[seed] for seed in shared], [other.miou[seed] for seed in shared]


@dataclass(frozen=True)
class Findings:
    """All models and ablations that have a finished run, by name, in their order."""

    models: Mapping[str, Summary]
    """What is compared."""
    ablations: Mapping[str, Summary]
    """The relay model with one thing changed."""

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Findings:
        """Read the benchmark's JSON document."""
        return cls(
            _summaries(MODELS, document["models"]),
            _summaries(ABLATIONS, document["ablations"]),
        )

    @property
    def unchanged(self) -> Summary | None:
        """The relay model over the seeds of the ablations; None while it has none of them."""
        relay = self.models.get("relay")
        ablated = {seed for change in self.ablations.values() for seed in change.miou}
        shared = relay.over(ablated or relay.miou) if relay else None
        return shared if shared and shared.miou else None

    @property
    def meets_target(self) -> bool | None:
        """Whether relay tokens did what they have to; None while a model is missing."""
        if not {"relay", "single", "decision_fusion"} <= self.models.keys():
            return None
        relay, single = self.models["relay"], self.models["single"]
        return (
            relay.ratio(single) >= TARGET
            and relay.difference(self.models["decision_fusion"]) > 0
            and relay.more_parameters(single) <= MOST_PARAMETERS
        )


def _summaries(variants: tuple[Variant, ...], found: Mapping[str, Any]) -> dict[str, Summary]:
    return {v.name: _summary(v.label, found[v.name]) for v in variants if v.name in found}


def _summary(label: str, found: Mapping[str, Any]) -> Summary:
    return Summary(
        label=label,
        miou=dict(zip(found["seeds"], found["miou"], strict=True)),
        iou={name: statistics.mean(values) for name, values in found["iou"].items()},
        calibration_error=statistics.mean(found["calibration_error"]),
        params=found["params"],
        contexts=tuple(found.get("context", ())),
    )
