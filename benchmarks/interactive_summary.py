"""Means over seeds, and what they say of the targets of the benchmark of correcting."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from benchmarks.interactive_plan import METHODS

HALF = 0.5
"""Of the gap, that is to be closed after the last round."""
SECONDS = 30.0
"""Of training and predicting the view again, at most."""
BASE_LOSS = 0.01
"""Of mIoU on the base domain, at most."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Course:
    """One run: what was reached after each round, the one before all corrections first."""

    seed: int
    """Of the image."""
    rounds: tuple[Record, ...]
    """As the run wrote them."""

    @property
    def miou(self) -> list[float]:
        """Of the untouched remainder."""
        return [one["remainder"]["miou"] for one in self.rounds]

    @property
    def corrections(self) -> list[int]:
        """Strokes, polygons and agreements so far."""
        return [one["corrections"] for one in self.rounds]

    @property
    def seconds(self) -> list[float]:
        """Of training and predicting the view, so far; of one thread."""
        spent = [_spent(one) for one in self.rounds]
        return [sum(spent[: k + 1]) for k in range(len(spent))]

    @property
    def largest_round(self) -> float:
        """Seconds of the longest round."""
        return max(map(_spent, self.rounds))

    @property
    def closed(self) -> float:
        """Share of the gap that is closed at the end, all on the same pixels."""
        last = self.rounds[-1]
        now, shipped, best = (last[k]["miou"] for k in ("remainder", "shipped", "reference"))
        return float((now - shipped) / (best - shipped))

    @property
    def base_loss(self) -> float | None:
        """mIoU on the base domain before less that after; None where it was not measured."""
        first, last = self.rounds[0]["base"], self.rounds[-1]["base"]
        return None if first is None or last is None else float(first["miou"] - last["miou"])

    def corrections_to(self, miou: float) -> float | None:
        """Corrections until a mIoU is reached, between two rounds by a line; None for never."""
        points = list(zip(self.corrections, self.miou, strict=True))
        for (fewer, low), (more, high) in pairwise(points):
            if high >= miou:
                share = (miou - low) / (high - low) if high > low else 0.0
                return fewer + max(share, 0.0) * (more - fewer)
        return None


@dataclass(frozen=True)
class Summary:
    """One method on one domain."""

    name: str
    """Of the method."""
    label: str
    """In tables and plots."""
    courses: tuple[Course, ...]
    """One a seed."""

    @property
    def closed(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(course.closed for course in self.courses)

    @property
    def base_loss(self) -> float | None:
        """Mean over the seeds; None where it was not measured."""
        found = [course.base_loss for course in self.courses]
        known = [loss for loss in found if loss is not None]
        return statistics.mean(known) if known else None

    @property
    def seconds(self) -> float:
        """Mean of a round over rounds and seeds, of one thread."""
        return statistics.mean(c.seconds[-1] / (len(c.rounds) - 1) for c in self.courses)

    @property
    def longest(self) -> float:
        """Seconds of the longest round of any seed."""
        return max(course.largest_round for course in self.courses)

    def at(self, number: int) -> float:
        """Mean mIoU of the remainder after a round."""
        return statistics.mean(course.miou[number] for course in self.courses)

    @property
    def turned_down(self) -> int:
        """Rounds whose weights the gate did not recommend."""
        every = [one for course in self.courses for one in course.rounds[1:]]
        return sum(not one["recommended"] for one in every)


def summaries(document: Record, domain: str) -> dict[str, Summary]:
    """The methods that have a finished run on a domain, in their order."""
    runs: Sequence[Record] = [run for run in document["runs"] if run["domain"] == domain]
    found: dict[str, Summary] = {}
    for method in METHODS:
        courses = tuple(
            Course(run["seed"], tuple(run["rounds"]))
            for run in sorted(runs, key=lambda one: int(one["seed"]))
            if run["method"] == method.name
        )
        if courses:
            found[method.name] = Summary(method.name, method.label, courses)
    return found


def ends(summary: Summary) -> tuple[float, float]:
    """Mean mIoU of the shipped model and of that of the domain, on the last remainder."""
    last = [course.rounds[-1] for course in summary.courses]
    shipped, best = (
        statistics.mean(one[name]["miou"] for one in last) for name in ("shipped", "reference")
    )
    return shipped, best


@dataclass(frozen=True)
class Saving:
    """Corrections that the queue and random places need for the same mIoU."""

    seed: int
    """Of the image."""
    miou: float
    """The lower of what both reach at last."""
    queue: float | None
    """Corrections at the queue's places."""
    random: float | None
    """Corrections at random places."""

    @property
    def fewer(self) -> bool:
        """Whether the queue needs fewer."""
        if self.queue is None or self.random is None:
            return self.random is None and self.queue is not None
        return self.queue < self.random


def savings(found: Mapping[str, Summary]) -> list[Saving]:
    """Of each seed that has both."""
    if not {"queue", "random"} <= found.keys():
        return []
    random = {course.seed: course for course in found["random"].courses}
    saved: list[Saving] = []
    for course in found["queue"].courses:
        if course.seed in random:
            other = random[course.seed]
            level = min(max(course.miou), max(other.miou))
            needs = course.corrections_to(level), other.corrections_to(level)
            saved.append(Saving(course.seed, level, *needs))
    return saved


def _spent(one: Record) -> float:
    return float(one.get("train_cpu_seconds", 0.0) + one.get("view_cpu_seconds", 0.0))
