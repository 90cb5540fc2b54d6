"""Which places of a prediction a person should look at first."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from napari_relay.annotation.block_scores import BlockScores, read_block_scores
from napari_relay.annotation.corrections import CorrectionStore
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from relay_tokens import IGNORE_INDEX

Reason = Literal["unsure", "scales disagree"]


@dataclass(frozen=True)
class RankingOptions:
    """How places are weighed."""

    side: int = 256
    """Side of a place, level-0 pixels."""
    entropy: float = 1.0
    """Weight of how unsure the model is, against the other weight."""
    disagreement: float = 1.0
    """Weight of how far the local and the global branch are apart."""
    diversity: float = 0.5
    """0: the highest score is next; 1: a place as like one before counts nothing."""
    apart: int = 1
    """Least number of places between two that are named, and to what is corrected."""
    pool: int = 4096
    """Places with the highest scores from which is chosen."""


@dataclass(frozen=True)
class RankedPlace:
    """A place to look at."""

    window: Window
    """Level-0 pixels, inside the image."""
    score: float
    """0 ... 1: weighted mean of the two below."""
    entropy: float
    """0 ... 1: mean entropy over log(number of classes)."""
    disagreement: float
    """0 ... 1: mean scale disagreement; 0 for a model of one scale."""
    reason: Reason
    """Which of the two stands out more from the rest of the image."""


def rank_places(
    store: PredictionStore,
    corrections: CorrectionStore,
    count: int,
    options: RankingOptions | None = None,
    seen: Sequence[Window] = (),
) -> list[RankedPlace]:
    """Name the places that it is best to look at next, the best first.

    Parameters
    ----------
    store
        The prediction; places not predicted are left out.
    corrections
        Of the same image; places on or beside corrections are left out.
    count
        At most so many places.
    options
        How they are weighed.
    seen
        Other level-0 windows to stay away from, e.g. those that were skipped.
    """
    options = options or RankingOptions()
    return rank_blocks(read_block_scores(store, options.side), corrections, count, options, seen)


def rank_blocks(
    blocks: BlockScores,
    corrections: CorrectionStore,
    count: int,
    options: RankingOptions,
    seen: Sequence[Window] = (),
) -> list[RankedPlace]:
    """As :func:`rank_places`, of blocks that were read before.

    The next place is again and again the one of greatest
    ``score · (1 - diversity · (1 - d))``, where ``d`` in 0 ... 1 is the distance
    of its class mix to that of the nearest place that was chosen or is
    corrected: half the sum of absolute differences. Without the score that is
    the greedy k-center choice of a core-set (Sener and Savarese, "Active
    Learning for Convolutional Neural Networks: A Core-Set Approach", ICLR 2018,
    algorithm 1).
    """
    score = _score(blocks, options)
    taken = corrected_blocks(blocks, corrections) | _met(blocks, seen)
    free = (blocks.known >= 0.5) & ~_grown(taken, options.apart)
    found = _Chooser(blocks, score, free, options)
    found.stay_away_from(blocks.mix[taken & (blocks.known > 0)])
    return [_place(blocks, score, *block) for block in found.choose(count)]


def corrected_blocks(blocks: BlockScores, corrections: CorrectionStore) -> NDArray[np.bool_]:
    """Which blocks hold a correction, or lie beside one by less than a pixel of a coarse level."""
    met = np.zeros(blocks.known.shape, np.bool_)
    factors = corrections.pyramid.factors
    level = max(k for k, factor in enumerate(factors) if k == 0 or factor <= blocks.side)
    last = np.array(met.shape) - 1
    for area in corrections.pyramid.corrected_areas(level):
        pixels = np.argwhere(corrections.pyramid[level][area.slices] != IGNORE_INDEX)
        first = (pixels + np.array([area.y0, area.x0])) * factors[level]
        for corner in (first, first + factors[level] - 1):  # a pixel meets two blocks at most
            met[tuple(np.minimum(corner // blocks.side, last).T)] = True
    return met


def _met(blocks: BlockScores, windows: Collection[Window]) -> NDArray[np.bool_]:
    met = np.zeros(blocks.known.shape, np.bool_)
    for window in windows:
        inside = window.intersection(Window(0, 0, *blocks.shape))
        if inside.area:
            rows = slice(inside.y0 // blocks.side, (inside.y1 - 1) // blocks.side + 1)
            met[rows, inside.x0 // blocks.side : (inside.x1 - 1) // blocks.side + 1] = True
    return met


def _grown(mask: NDArray[np.bool_], by: int) -> NDArray[np.bool_]:
    """With so many blocks more on each side."""
    rows, cols = np.nonzero(mask)
    out = mask.copy()
    for down in range(-by, by + 1):
        for across in range(-by, by + 1):
            y, x = rows + down, cols + across
            inside = (y >= 0) & (y < mask.shape[0]) & (x >= 0) & (x < mask.shape[1])
            out[y[inside], x[inside]] = True
    return out


def _score(blocks: BlockScores, options: RankingOptions) -> NDArray[np.float32]:
    if blocks.disagreement is None:
        return blocks.entropy
    total = options.entropy + options.disagreement
    both = options.entropy * blocks.entropy + options.disagreement * blocks.disagreement
    return np.asarray(both / total, np.float32)


class _Chooser:
    """Chooses block after block, each away from those before."""

    def __init__(
        self,
        blocks: BlockScores,
        score: NDArray[np.float32],
        free: NDArray[np.bool_],
        options: RankingOptions,
    ) -> None:
        places = np.argwhere(free)
        order = np.argsort(-score[free], kind="stable")[: options.pool]
        self._places = places[order]
        self._score = score[free][order]
        self._mix = blocks.mix[free][order]
        self._distance = np.ones(len(order), np.float32)
        self._is_free = np.ones(len(order), np.bool_)
        self._options = options

    def stay_away_from(self, mixes: NDArray[np.float32]) -> None:
        """Take ``(n, class)`` class mixes as chosen before."""
        for mix in np.unique(np.round(mixes * 16), axis=0) / 16:
            self._note(mix)

    def choose(self, count: int) -> list[tuple[int, int]]:
        chosen: list[tuple[int, int]] = []
        while len(chosen) < count and self._is_free.any():
            worth = self._score * (1 - self._options.diversity * (1 - self._distance))
            best = int(np.argmax(np.where(self._is_free, worth, -1)))
            row, col = (int(n) for n in self._places[best])
            chosen.append((row, col))
            self._note(self._mix[best])
            gap = np.abs(self._places - self._places[best]).max(axis=1)
            self._is_free &= gap > self._options.apart
        return chosen

    def _note(self, mix: NDArray[np.float32]) -> None:
        apart = np.abs(self._mix - mix).sum(axis=1) / 2
        self._distance = np.minimum(self._distance, apart)


def _place(blocks: BlockScores, score: NDArray[np.float32], row: int, col: int) -> RankedPlace:
    apart = blocks.disagreement
    return RankedPlace(
        blocks.window(row, col),
        float(score[row, col]),
        float(blocks.entropy[row, col]),
        0.0 if apart is None else float(apart[row, col]),
        _reason(blocks, row, col),
    )


def _reason(blocks: BlockScores, row: int, col: int) -> Reason:
    """What is more times the image's mean here."""
    if blocks.disagreement is None:
        return "unsure"
    known = blocks.known > 0
    entropy, apart = (
        float(values[row, col]) / max(float(values[known].mean()), 1e-6)
        for values in (blocks.entropy, blocks.disagreement)
    )
    return "scales disagree" if apart > entropy else "unsure"
