"""What a round of fine-tuning learns from, rehearses and is measured on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.inference.reading import ReadAhead
from napari_relay.training.base_tiles import BaseTiles
from napari_relay.training.corrected_places import (
    Region,
    choose_evenly,
    find_regions,
    held_out_regions,
)
from napari_relay.training.correction_values import class_labels
from napari_relay.training.evaluation import batched
from napari_relay.training.examples import Example, ExampleReader
from napari_relay.training.finetune_options import FinetuneOptions
from napari_relay.training.labelled_image import Place
from napari_relay.training.lesson import (
    Lesson,
    base_lesson,
    corrected_lesson,
    replayed_lesson,
)
from napari_relay.training.old_model import BATCH, OldModel
from relay_tokens import IGNORE_INDEX, UserError

MAX_CORRECTED = 48
"""Corrected crops kept in memory for a round; of more, a choice even by class."""
MAX_MEASURED = 12
"""Corrected crops that are measured on."""
READERS = 2
"""Threads that read crops."""


class GatheringStopped(Exception):  # noqa: N818  (nothing went wrong)
    """Raised where a person did not want to wait for the end."""


@dataclass(frozen=True)
class CorrectedExamples:
    """Everything a round needs, read once."""

    corrected: tuple[Lesson, ...]
    """Crops with corrections to learn."""
    replayed: tuple[Lesson, ...]
    """Crops without corrections to rehearse; may be empty."""
    base: tuple[Lesson, ...]
    """Crops of the training data to rehearse; may be empty."""
    measured: tuple[Example, ...]
    """Crops whose corrections are measured on."""
    unseen: tuple[Example, ...]
    """Crops never learnt or rehearsed, labelled by the old model."""
    base_measured: tuple[Example, ...]
    """Crops held out from the model's training; may be empty."""
    base_weights: tuple[float, ...]
    """How many held-out windows each of them stands for."""
    regions: int
    """Corrected regions, learnt and held out."""
    is_held_out: bool
    """Whether :attr:`measured` is kept out of :attr:`corrected`."""

    @property
    def all_measured(self) -> int:
        """Crops of an evaluation."""
        return len(self.measured) + len(self.unseen) + len(self.base_measured)


class _Chosen(NamedTuple):
    """Places by what they are for."""

    learnt: list[Place]
    """Corrected crops that are learnt."""
    held_out: list[Place]
    """Corrected crops that are measured on; empty where there are too few regions."""
    regions: int
    """Corrected regions in all."""


class ExampleGatherer:
    """Reads corrected and replayed crops, and parts them.

    Parameters
    ----------
    readers
        Of each image; their labels are the corrections.
    old
        The model that is corrected.
    options
        Shares, counts and seed.
    should_stop
        Whether to give up; asked between reading and forward passes.
    """

    def __init__(
        self,
        readers: Sequence[ExampleReader],
        old: OldModel,
        options: FinetuneOptions,
        should_stop: Callable[[], bool],
    ) -> None:
        self._readers, self._old, self._options = readers, old, options
        self._should_stop = should_stop
        self._rng = np.random.default_rng([options.seed, 4])

    def gather(self, windows: Sequence[Sequence[Window]], base: BaseTiles) -> CorrectedExamples:
        """Read what a round needs.

        Parameters
        ----------
        windows
            Where corrections lie in each image.
        base
            Tiles of the training data.

        Raises
        ------
        UserError
            When no window has a correction.
        GatheringStopped
            When it was told to.
        """
        chosen, count = self._choose(windows), self._options.replayed
        corrected, held_out = self._corrected(chosen)
        away = list(self._read(self._elsewhere(count + (count + 1) // 2)))
        beliefs = iter(self._beliefs([*corrected, *away, *base.learnt]))
        learnt = tuple(corrected_lesson(e, next(beliefs)) for e in corrected)
        replayed = tuple(replayed_lesson(e, next(beliefs)) for e in away)
        return CorrectedExamples(
            corrected=learnt,
            replayed=replayed[:count],
            base=tuple(base_lesson(e, next(beliefs)) for e in base.learnt),
            measured=tuple(map(_classes_alone, held_out or corrected[:MAX_MEASURED])),
            unseen=tuple(map(_as_labels, replayed[count:])),
            base_measured=base.measured,
            base_weights=base.weights,
            regions=chosen.regions,
            is_held_out=bool(held_out),
        )

    def _choose(self, windows: Sequence[Sequence[Window]]) -> _Chosen:
        regions = find_regions(self._readers, windows, self._rng)
        if not regions:
            raise UserError(
                "There is nothing to learn from yet. Paint at least one correction, then fine-tune."
            )
        held = held_out_regions(regions, self._options.holdout, self._options.seed)
        learnt = [region for i, region in enumerate(regions) if i not in held]
        kept_out = [regions[i] for i in sorted(held)]
        return _Chosen(
            self._some(learnt, MAX_CORRECTED), self._some(kept_out, MAX_MEASURED), len(regions)
        )

    def _some(self, regions: Sequence[Region], count: int) -> list[Place]:
        """Places of regions, at most so many."""
        places = [place for region in regions for place in region.places]
        kinds = [kind for region in regions for kind in region.kinds]
        return choose_evenly(places, kinds, count, self._rng)

    def _corrected(self, chosen: _Chosen) -> tuple[list[Example], list[Example]]:
        """Crops to learn, and those held out; of overlapping ones the latter get the pixels."""
        held_out = list(self._read(chosen.held_out))
        read = zip(chosen.learnt, self._read(chosen.learnt), strict=True)
        blanked = [_blanked(example, place, chosen.held_out) for place, example in read]
        learnt = [example for example in blanked if (example.labels != IGNORE_INDEX).any()]
        return (learnt, held_out) if learnt else (held_out, [])

    def _elsewhere(self, count: int) -> list[Place]:
        """Random windows without any correction; fewer when they are hard to find."""
        found: dict[Place, None] = {}
        for _ in range(4 * count):
            number = int(self._rng.integers(len(self._readers)))
            reader = self._readers[number]
            side = reader.config.crop_size
            room = np.maximum(np.array(reader.image.shape) - side, 0) + 1
            y, x = (int(value) for value in self._rng.integers(room))
            window = Window(y, x, side, side)
            if len(found) < count and (reader.labels.read(window) == IGNORE_INDEX).all():
                found[Place(number, window)] = None
        return list(found)

    def _read(self, places: Sequence[Place]) -> Iterator[Example]:
        """Read crops, in order."""
        ahead: ReadAhead[Place, Example] = ReadAhead(
            lambda place: self._readers[place.image].read(place.window), READERS
        )
        try:
            for _, example in ahead.each(places, 2 * READERS):
                self._check()
                yield example
        finally:
            ahead.close()

    def _beliefs(self, examples: Sequence[Example]) -> list[NDArray[np.float32]]:
        found: list[NDArray[np.float32]] = []
        for batch in batched(examples, BATCH):
            self._check()
            found += self._old.beliefs(batch)
        return found

    def _check(self) -> None:
        if self._should_stop():
            raise GatheringStopped


def _blanked(example: Example, place: Place, held_out: Sequence[Place]) -> Example:
    """A crop without the corrections that lie in other places."""
    window, labels = place.window, example.labels.copy()
    for other in held_out:
        part = window.intersection(other.window)
        if other.image == place.image and part.area:
            moved = part._replace(y0=part.y0 - window.y0, x0=part.x0 - window.x0)
            labels[moved.slices] = IGNORE_INDEX
    return Example(example.crops, labels)


def _classes_alone(example: Example) -> Example:
    """Only what was said to be of a class can be measured."""
    return Example(example.crops, class_labels(example.labels))


def _as_labels(lesson: Lesson) -> Example:
    """The old model's predictions as labels."""
    predicted = lesson.belief.argmax(axis=0).astype(np.uint8)
    return Example(lesson.example.crops, np.where(lesson.rehearsed, predicted, IGNORE_INDEX))
