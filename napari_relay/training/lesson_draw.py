"""Which lessons a batch holds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from napari_relay.training.augmentation import Augmentation
from napari_relay.training.corrected_examples import CorrectedExamples
from napari_relay.training.correction_values import NOT_CLASS
from napari_relay.training.lesson import Lesson
from relay_tokens import IGNORE_INDEX

SYMMETRIES = tuple(
    Augmentation(turns, mirror)
    for turns, mirror in (
        (0, False),
        (1, True),
        (2, False),
        (3, True),
        (1, False),
        (0, True),
        (3, False),
        (2, True),
    )
)
"""All of a square, the one that changes nothing first."""


class Drawn(NamedTuple):
    """A lesson, and how it is turned."""

    lesson: Lesson
    """What is learnt."""
    change: Augmentation
    """One of :data:`SYMMETRIES`."""


class LessonDraw:
    """Draws batches of corrections, evenly by class, and of what is to be kept.

    Half and half; with tiles of the training data, which are many and differ, a quarter are
    corrections and an eighth is replayed.

    Parameters
    ----------
    examples
        What there is.
    """

    def __init__(self, examples: CorrectedExamples) -> None:
        self._examples = examples
        kinds = [_kinds(lesson) for lesson in examples.corrected]
        self._by_kind = {
            kind: [i for i, has in enumerate(kinds) if kind in has]
            for kind in sorted(frozenset[int]().union(*kinds))
        }

    def draw(self, rng: np.random.Generator, count: int, turns: int) -> tuple[list[Drawn], int]:
        """Draw a batch.

        Parameters
        ----------
        rng
            Decides everything.
        count
            Lessons in it.
        turns
            Ways in which each lesson may be turned, 1 to 8.

        Returns
        -------
        list of Drawn
            Those of the training data last.
        int
            How many these are.
        """
        replayed, base = self._examples.replayed, self._examples.base
        kept = count // 2 if replayed else 0
        known = 0
        if base:
            kept = count - max(count // 4, 1)
            known = kept - (max(count // 8, 1) if replayed and kept > 1 else 0)
        lessons = [self._corrected(rng) for _ in range(count - kept)]
        lessons += [replayed[rng.integers(len(replayed))] for _ in range(kept - known)]
        lessons += [base[rng.integers(len(base))] for _ in range(known)]
        changes = [SYMMETRIES[rng.integers(turns)] for _ in lessons]
        return [Drawn(*one) for one in zip(lessons, changes, strict=True)], known

    def _corrected(self, rng: np.random.Generator) -> Lesson:
        """Draw what was said, each alike, then a crop where it was said."""
        places = self._by_kind[int(rng.choice(list(self._by_kind)))]
        return self._examples.corrected[places[rng.integers(len(places))]]


def _kinds(lesson: Lesson) -> frozenset[int]:
    """Values of the corrections in a crop."""
    classes = frozenset(np.unique(lesson.example.labels).tolist())
    excluded = frozenset(np.unique(lesson.excluded).tolist())
    said = {NOT_CLASS + c for c in excluded - {IGNORE_INDEX}}
    return (classes - {IGNORE_INDEX}) | said
