"""A crop that fine-tuning learns from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from napari_relay.training.augmentation import Augmentation
from napari_relay.training.correction_values import (
    IGNORED,
    UNTOUCHED,
    class_labels,
    excluded_classes,
)
from napari_relay.training.examples import Batch, Example, augment, collate
from napari_relay.training.labels import Labels
from relay_tokens import IGNORE_INDEX

NEAR_CORRECTION = 32
"""Pixels around a correction in which the old prediction is not rehearsed: what
was wrong there is likely wrong a little further on too."""


class Lesson(NamedTuple):
    """A crop with corrections, the old model's belief, or both."""

    example: Example
    """Crops, and the classes that were painted as labels."""
    excluded: Labels
    """``(crop, crop)``: class that a pixel is not; 255 where nothing was excluded."""
    belief: NDArray[np.float32]
    """``(class, crop, crop)``: the old model's softmax."""
    rehearsed: NDArray[np.bool_]
    """``(crop, crop)``: where the belief is to be kept."""

    def moved(self, change: Augmentation) -> Lesson:
        """The same lesson, turned and mirrored."""
        return Lesson(
            augment(self.example, change),
            change.move(self.excluded),
            change.move(self.belief),
            change.move(self.rehearsed),
        )


class LessonBatch(NamedTuple):
    """Lessons as tensors."""

    batch: Batch
    """Crops and labels."""
    excluded: Tensor
    """``(B, crop, crop)`` int64, class or 255."""
    belief: Tensor
    """``(B, class, crop, crop)`` float32."""
    rehearsed: Tensor
    """``(B, crop, crop)`` bool."""

    def to(self, device: torch.device) -> LessonBatch:
        """Copy to a device."""
        rest = (self.excluded, self.belief, self.rehearsed)
        return LessonBatch(self.batch.to(device), *(tensor.to(device) for tensor in rest))


def corrected_lesson(example: Example, belief: NDArray[np.float32]) -> Lesson:
    """A lesson from a crop whose labels are values of corrections.

    The old belief is kept :data:`NEAR_CORRECTION` pixels and more away from a
    correction, and nowhere where a pixel is to be ignored.
    """
    crops, values = example
    said = (values != UNTOUCHED) & (values != IGNORED)
    rehearsed = crops.valid & (values != IGNORED)
    if said.any():
        rehearsed &= np.asarray(ndimage.distance_transform_edt(~said)) > NEAR_CORRECTION
    return Lesson(Example(crops, class_labels(values)), excluded_classes(values), belief, rehearsed)


def replayed_lesson(example: Example, belief: NDArray[np.float32]) -> Lesson:
    """A lesson from a crop without corrections."""
    nothing = np.full_like(example.labels, IGNORE_INDEX)
    return Lesson(Example(example.crops, nothing), nothing, belief, example.crops.valid)


def base_lesson(example: Example, belief: NDArray[np.float32]) -> Lesson:
    """A lesson from a crop of the training data, with its true labels and the old belief."""
    nothing = np.full_like(example.labels, IGNORE_INDEX)
    return Lesson(example, nothing, belief, example.crops.valid)


def stack_lessons(lessons: Sequence[Lesson]) -> LessonBatch:
    """Stack lessons."""
    excluded = np.stack([lesson.excluded for lesson in lessons]).astype(np.int64)
    return LessonBatch(
        collate([lesson.example for lesson in lessons]),
        torch.from_numpy(excluded),
        torch.from_numpy(np.stack([lesson.belief for lesson in lessons])),
        torch.from_numpy(np.stack([lesson.rehearsed for lesson in lessons])),
    )
