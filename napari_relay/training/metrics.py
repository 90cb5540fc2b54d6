"""How well predicted classes agree with the labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.training.calibration import Calibration, ratio
from relay_tokens import IGNORE_INDEX


def confusion_matrix(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], num_classes: int
) -> NDArray[np.int64]:
    """Count pixels by label (row) and prediction (column); ignored labels left out.

    One bincount, so that fine-tuning in the app needs none of the packages of
    the extra ``train``, and training reports the very same scores.
    """
    kept = labels != IGNORE_INDEX
    pairs = labels[kept].astype(np.int64) * num_classes + predicted[kept]
    counts = np.bincount(pairs, minlength=num_classes**2)
    return counts.reshape(num_classes, num_classes)


@dataclass(frozen=True, eq=False)
class Scores:
    """What a confusion matrix says. A class that is neither labelled nor predicted is NaN."""

    confusion: NDArray[np.int64]
    """``(label, prediction)`` pixel counts."""
    calibration: Calibration | None = None
    """How sure the model was of these pixels; None where that was not measured."""

    @classmethod
    def of(
        cls,
        labels: NDArray[np.integer],
        predicted: NDArray[np.integer],
        confidence: NDArray[np.floating],
        num_classes: int,
    ) -> Scores:
        """Compare predictions with labels; parameters as in :meth:`Calibration.of`."""
        return cls(
            confusion_matrix(labels, predicted, num_classes),
            Calibration.of(labels, predicted, confidence),
        )

    def __add__(self, other: Scores) -> Scores:
        """Scores of both sets of pixels together; calibrated where both are."""
        one, two = self.calibration, other.calibration
        both = None if one is None or two is None else one + two
        return Scores(self.confusion + other.confusion, both)

    @property
    def iou(self) -> NDArray[np.float64]:
        """Intersection over union of each class, 0 to 1."""
        return ratio(self._hits, self._labelled + self._predicted - self._hits)

    @property
    def f1(self) -> NDArray[np.float64]:
        """Harmonic mean of precision and recall of each class (Dice), 0 to 1."""
        return ratio(2 * self._hits, self._labelled + self._predicted)

    @property
    def precision(self) -> NDArray[np.float64]:
        """Share of the pixels predicted as each class that are labelled so, 0 to 1."""
        return ratio(self._hits, self._predicted)

    @property
    def recall(self) -> NDArray[np.float64]:
        """Share of the pixels labelled as each class that are predicted so, 0 to 1."""
        return ratio(self._hits, self._labelled)

    @property
    def share(self) -> NDArray[np.float64]:
        """Share of the labelled pixels that are labelled as each class, 0 to 1."""
        return ratio(self._labelled, np.full(len(self.confusion), self.pixels))

    @property
    def pixels(self) -> int:
        """Labelled pixels."""
        return int(self.confusion.sum())

    @property
    def calibration_error(self) -> float:
        """See :attr:`Calibration.error`; NaN where it was not measured."""
        return float("nan") if self.calibration is None else self.calibration.error

    @property
    def miou(self) -> float:
        """Mean IoU over the classes that are labelled; NaN without any labelled pixel.

        A class that is predicted but never labelled does not count as a class
        with IoU 0: its pixels already lower the IoU of the class they belong to.
        """
        labelled = self._labelled > 0
        return float(self.iou[labelled].mean()) if labelled.any() else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of labelled pixels with the right class; NaN without any."""
        return float(ratio(self._hits.sum(), self.confusion.sum()))

    @property
    def _hits(self) -> NDArray[np.int64]:
        return np.diagonal(self.confusion)

    @property
    def _labelled(self) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = self.confusion.sum(axis=1)
        return counts

    @property
    def _predicted(self) -> NDArray[np.int64]:
        counts: NDArray[np.int64] = self.confusion.sum(axis=0)
        return counts
