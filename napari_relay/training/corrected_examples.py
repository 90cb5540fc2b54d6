"""What a round of fine-tuning learns from, rehearses and is measured on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_relay.geometry import Window
from napari_relay.training.augmentation import random_augmentation
from napari_relay.training.examples import Batch, Example, ExampleReader, augment, collate
from napari_relay.training.labels import Labels
from relay_tokens import IGNORE_INDEX, RelaySegmenter, UserError

MAX_CORRECTED = 48
"""Corrected crops kept in memory for a round; of more, a random choice."""
NEAR_CORRECTION = 32
"""Pixels around a correction in which the old prediction is not rehearsed: what
was wrong there is likely wrong a little further on too."""
MIN_TO_HOLD_OUT = 4
"""Corrected crops from which on some are held out."""


class Lesson(NamedTuple):
    """A crop with corrections, the old model's belief, or both."""

    example: Example
    """Crops, and the corrections as labels."""
    belief: NDArray[np.float32]
    """``(class, crop, crop)``: the old model's softmax."""
    rehearsed: NDArray[np.bool_]
    """``(crop, crop)``: where the belief is to be kept."""


@dataclass(frozen=True)
class CorrectedExamples:
    """Everything a round needs, read once."""

    corrected: tuple[Lesson, ...]
    """Crops with corrections to learn."""
    replayed: tuple[Lesson, ...]
    """Crops without corrections to rehearse; may be empty."""
    measured: tuple[Example, ...]
    """Crops whose corrections are measured on."""
    unseen: tuple[Example, ...]
    """Crops never learnt or rehearsed, labelled by the old model."""
    is_held_out: bool
    """Whether :attr:`measured` is kept out of :attr:`corrected`."""

    def draw(self, rng: np.random.Generator, count: int) -> list[Lesson]:
        """Draw ``count`` augmented lessons: half corrected, evenly by class; half replayed."""
        half = count - count // 2 if self.replayed else count
        drawn = [self._by_class(rng) for _ in range(half)]
        drawn += [self.replayed[rng.integers(len(self.replayed))] for _ in range(count - half)]
        return [_augmented(lesson, rng) for lesson in drawn]

    def _by_class(self, rng: np.random.Generator) -> Lesson:
        """Draw a corrected class, each alike, then a crop that has it."""
        present = [set(np.unique(c.example.labels).tolist()) for c in self.corrected]
        classes = sorted(set().union(*present) - {IGNORE_INDEX})
        wanted = int(rng.choice(classes))
        fitting = [c for c, has in zip(self.corrected, present, strict=True) if wanted in has]
        return fitting[rng.integers(len(fitting))]


def gather_examples(
    reader: ExampleReader,
    teacher: RelaySegmenter,
    windows: Sequence[Window],
    holdout: float,
    replayed: int,
    seed: int,
) -> CorrectedExamples:
    """Read corrected and replayed crops, and part them.

    Parameters
    ----------
    reader
        Its labels are the corrections.
    teacher
        The old model, in eval mode.
    windows
        Where corrections lie.
    holdout
        Share of the corrected crops that is held out, when there are four or more.
    replayed
        Number of crops without corrections to rehearse; half as many again
        stay unseen.
    seed
        Of all random choices.

    Raises
    ------
    UserError
        When no window has a correction.
    """
    rng = np.random.default_rng([seed, 4])
    side = reader.config.crop_size
    places = [w for window in windows for w in cover(window, side)]
    corrected = [w for w in dict.fromkeys(places) if _has_label(reader.labels.read(w))]
    if not corrected:
        raise UserError(
            "There is nothing to learn from yet. Paint at least one correction, then fine-tune."
        )
    corrected = [corrected[i] for i in rng.permutation(len(corrected))[:MAX_CORRECTED]]
    count = round(holdout * len(corrected)) if len(corrected) >= MIN_TO_HOLD_OUT else 0
    held_out, learnt = corrected[:count], corrected[count:]
    lessons = _lessons(reader, teacher, learnt, held_out)
    if not lessons:
        held_out, lessons = [], _lessons(reader, teacher, learnt, [])
    elsewhere = _elsewhere(reader, replayed + (replayed + 1) // 2, rng)
    return CorrectedExamples(
        corrected=tuple(lessons),
        replayed=tuple(_replay(reader, teacher, w) for w in elsewhere[:replayed]),
        measured=tuple(reader.read(w) for w in held_out or learnt),
        unseen=tuple(_as_labels(_replay(reader, teacher, w)) for w in elsewhere[replayed:]),
        is_held_out=bool(held_out),
    )


def cover(window: Window, side: int) -> list[Window]:
    """Crops of ``side`` a side that cover a window, in the middle of it."""
    rows, cols = -(-window.height // side), -(-window.width // side)
    y0 = window.y0 + (window.height - rows * side) // 2
    x0 = window.x0 + (window.width - cols * side) // 2
    return [
        Window(y0 + i * side, x0 + j * side, side, side) for i in range(rows) for j in range(cols)
    ]


def stack_lessons(lessons: Sequence[Lesson]) -> tuple[Batch, Tensor, Tensor]:
    """Stack lessons: the batch, beliefs ``(B, class, ...)``, where rehearsed ``(B, ...)``."""
    beliefs = torch.from_numpy(np.stack([lesson.belief for lesson in lessons]))
    rehearsed = torch.from_numpy(np.stack([lesson.rehearsed for lesson in lessons]))
    return collate([lesson.example for lesson in lessons]), beliefs, rehearsed


def _lessons(
    reader: ExampleReader,
    teacher: RelaySegmenter,
    windows: Sequence[Window],
    held_out: Sequence[Window],
) -> list[Lesson]:
    """Read the corrected crops that have something to learn."""
    read = (_lesson(reader, teacher, window, held_out) for window in windows)
    return [lesson for lesson in read if lesson is not None]


def _lesson(
    reader: ExampleReader, teacher: RelaySegmenter, window: Window, held_out: Sequence[Window]
) -> Lesson | None:
    """Read a corrected crop; None when all its corrections are held out."""
    crops, labels = reader.read(window)
    labels = labels.copy()
    for other in held_out:
        part = window.intersection(other)
        moved = part._replace(y0=part.y0 - window.y0, x0=part.x0 - window.x0)
        if part.area:
            labels[moved.slices] = IGNORE_INDEX
    if not _has_label(labels):
        return None
    distance = ndimage.distance_transform_edt(labels == IGNORE_INDEX)
    example = Example(crops, labels)
    rehearsed = crops.valid & (np.asarray(distance) > NEAR_CORRECTION)
    return Lesson(example, _belief(teacher, example), rehearsed)


def _replay(reader: ExampleReader, teacher: RelaySegmenter, window: Window) -> Lesson:
    example = reader.read(window)
    return Lesson(example, _belief(teacher, example), example.crops.valid)


def _as_labels(lesson: Lesson) -> Example:
    """The old model's predictions as labels."""
    predicted = lesson.belief.argmax(axis=0).astype(np.uint8)
    return Example(lesson.example.crops, np.where(lesson.rehearsed, predicted, IGNORE_INDEX))


def _elsewhere(reader: ExampleReader, count: int, rng: np.random.Generator) -> list[Window]:
    """Random windows in the image without any correction; fewer when they are hard to find."""
    side = reader.config.crop_size
    room = np.maximum(np.array(reader.image.shape) - side, 0) + 1
    found: list[Window] = []
    for _ in range(4 * count):
        y, x = rng.integers(room)
        window = Window(int(y), int(x), side, side)
        if len(found) < count and not _has_label(reader.labels.read(window)):
            found.append(window)
    return list(dict.fromkeys(found))


@torch.no_grad()
def _belief(teacher: RelaySegmenter, example: Example) -> NDArray[np.float32]:
    batch = collate([example]).to(next(teacher.parameters()).device)
    logits = teacher(batch.local, batch.global_).local_logits
    belief: NDArray[np.float32] = logits[0].softmax(dim=0).float().cpu().numpy()
    return belief


def _augmented(lesson: Lesson, rng: np.random.Generator) -> Lesson:
    change = random_augmentation(rng)
    return Lesson(
        augment(lesson.example, change),
        change.move(lesson.belief),
        change.move(lesson.rehearsed),
    )


def _has_label(labels: Labels) -> bool:
    return bool((labels != IGNORE_INDEX).any())
