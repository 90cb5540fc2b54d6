"""Scores that grow window by window."""

from __future__ import annotations

from typing import Literal, NamedTuple

from napari_relay.training.evaluation import PredictedExample, no_scores
from napari_relay.training.labelled_image import Place
from napari_relay.training.metrics import Scores

Rating = Literal["best", "median", "worst"]


class RatedPlace(NamedTuple):
    """What is remembered of a window."""

    place: Place
    """Where it lies."""
    miou: float
    """Of this window alone."""
    is_telling: bool
    """Whether a quarter of it is labelled, with two classes or more."""


class Tally:
    """Scores so far, over all windows, by image and by window.

    Parameters
    ----------
    num_classes
        Of the model.
    """

    def __init__(self, num_classes: int) -> None:
        self.num_classes = num_classes
        self.scores = no_scores(num_classes)
        self.by_image: dict[int, Scores] = {}
        self.rated: list[RatedPlace] = []

    def add(self, place: Place, predicted: PredictedExample) -> None:
        """Count a window that was predicted."""
        scores = predicted.scores(self.num_classes)
        self.scores += scores
        before = self.by_image.get(place.image)
        self.by_image[place.image] = scores if before is None else before + scores
        labelled = scores.confusion.any(axis=1).sum()
        telling = labelled > 1 and scores.pixels >= predicted.predicted.size / 4
        self.rated.append(RatedPlace(place, scores.miou, bool(telling)))

    def picked(self, each: int) -> list[tuple[Rating, RatedPlace]]:
        """The best, median and worst windows, so many of each, none of them twice."""
        rated = self._by_miou()
        middle = max((len(rated) - each) // 2, 0)
        best, worst = rated[:each], rated[max(len(rated) - each, each) :]
        median = [one for one in rated[middle : middle + each] if one not in (*best, *worst)]
        ratings: tuple[tuple[Rating, list[RatedPlace]], ...] = (
            ("best", best),
            ("median", median),
            ("worst", worst),
        )
        return [(rating, one) for rating, ones in ratings for one in ones]

    def _by_miou(self) -> list[RatedPlace]:
        """Windows that tell something, or all where none does, best first."""
        telling = [one for one in self.rated if one.is_telling] or self.rated
        return sorted(telling, key=lambda one: -one.miou)
