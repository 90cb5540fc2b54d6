"""How sure a model is, against how often it is right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relay_tokens import IGNORE_INDEX

BINS = 15
"""As in Guo et al. 2017."""


@dataclass(frozen=True, eq=False)
class Calibration:
    """Pixels by how sure the model was of their class.

    The confidence of a pixel is the probability of its predicted class. Bin ``i``
    of 15 holds the pixels with a confidence over ``i / 15`` and up to ``(i + 1) / 15``.
    """

    pixels: NDArray[np.int64]
    """``(bin,)`` labelled pixels."""
    correct: NDArray[np.int64]
    """``(bin,)`` of those, pixels whose class is right."""
    confidence_sum: NDArray[np.float64]
    """``(bin,)`` sum of their confidences."""

    @classmethod
    def of(
        cls,
        labels: NDArray[np.integer],
        predicted: NDArray[np.integer],
        confidence: NDArray[np.floating],
    ) -> Calibration:
        """Sort pixels into bins.

        Parameters
        ----------
        labels, predicted
            Classes, of any shape; pixels labelled 255 are left out.
        confidence
            Probability of the predicted class, 0 to 1, of the same shape.
        """
        kept = labels != IGNORE_INDEX
        sure = confidence[kept].astype(np.float64)
        bins = np.searchsorted(_edges()[1:-1], sure, side="left")
        right = bins[predicted[kept] == labels[kept]]
        return cls(
            np.bincount(bins, minlength=BINS),
            np.bincount(right, minlength=BINS),
            np.bincount(bins, weights=sure, minlength=BINS).astype(np.float64),
        )

    def __add__(self, other: Calibration) -> Calibration:
        """Both sets of pixels together."""
        return Calibration(
            self.pixels + other.pixels,
            self.correct + other.correct,
            self.confidence_sum + other.confidence_sum,
        )

    @property
    def confidence(self) -> NDArray[np.float64]:
        """``(bin,)`` mean confidence, 0 to 1; NaN in an empty bin."""
        return ratio(self.confidence_sum, self.pixels)

    @property
    def accuracy(self) -> NDArray[np.float64]:
        """``(bin,)`` share of pixels whose class is right; NaN in an empty bin."""
        return ratio(self.correct, self.pixels)

    @property
    def error(self) -> float:
        """Expected calibration error, 0 to 1; NaN without any pixel.

        The mean over all pixels of how far their bin's accuracy is from its mean
        confidence (Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural
        networks", ICML 2017, equation 3).
        """
        total = self.pixels.sum()
        gaps = np.abs(self.correct - self.confidence_sum)
        return float(gaps.sum() / total) if total else float("nan")


def bin_middles() -> NDArray[np.float64]:
    """``(bin,)`` confidence in the middle of each bin."""
    edges = _edges()
    middles: NDArray[np.float64] = (edges[:-1] + edges[1:]) / 2
    return middles


def _edges() -> NDArray[np.float64]:
    return np.linspace(0, 1, BINS + 1)


def ratio(
    part: NDArray[np.float64] | NDArray[np.int64] | np.int64,
    whole: NDArray[np.int64] | np.int64,
) -> NDArray[np.float64]:
    """``part / whole``, of the shape of ``whole``; NaN where that is 0."""
    empty = np.full(np.shape(whole), np.nan)
    found: NDArray[np.float64] = np.divide(part, whole, out=empty, where=np.asarray(whole) > 0)
    return found
