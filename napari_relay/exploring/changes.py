"""Which pixels change class when the context is another one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from relay_tokens import IGNORE_INDEX


@dataclass(frozen=True)
class Changes:
    """Two answers to one window, pixel by pixel."""

    window: Window
    """Level-0 pixels, all inside the image."""
    before: NDArray[np.uint8]
    """``(rows, cols)``: class as the model is; 255 where there is no data."""
    after: NDArray[np.uint8]
    """``(rows, cols)``: class with the other context; 255 where there is no data."""
    probability_change: NDArray[np.float32]
    """``(rows, cols)`` in [-1, 1]: by how much the probability of :attr:`before` rises;
    0 where there is no data."""

    @property
    def new_classes(self) -> NDArray[np.uint8]:
        """``(rows, cols)``: :attr:`after` where it is another class, else 255."""
        return np.where(self.before != self.after, self.after, np.uint8(IGNORE_INDEX))

    def within(self, window: Window) -> Changes:
        """The part of the changes that lies in another window."""
        common = self.window.intersection(window)
        y, x = common.y0 - self.window.y0, common.x0 - self.window.x0
        key = common._replace(y0=y, x0=x).slices
        return Changes(common, self.before[key], self.after[key], self.probability_change[key])

    @property
    def tally(self) -> ChangeTally:
        """How many pixels change, and from what to what."""
        changed = self.before != self.after
        pairs = np.stack([self.before[changed], self.after[changed]], axis=1)
        kinds, counts = np.unique(pairs, axis=0, return_counts=True)
        return ChangeTally(
            int((self.before != IGNORE_INDEX).sum()),
            float(self.probability_change.sum(dtype=np.float64)),
            {(int(a), int(b)): int(n) for (a, b), n in zip(kinds, counts, strict=True)},
        )


@dataclass(frozen=True)
class ChangeTally:
    """Changes of any number of windows, counted; tallies can be added."""

    pixels: int = 0
    """Pixels with data."""
    moved: float = 0.0
    """Sum over them of :attr:`Changes.probability_change`."""
    transitions: Mapping[tuple[int, int], int] = field(default_factory=dict)
    """Pixels of each class that turn into each other one."""

    def __add__(self, other: ChangeTally) -> ChangeTally:
        return ChangeTally(
            self.pixels + other.pixels,
            self.moved + other.moved,
            Counter(self.transitions) + Counter(other.transitions),
        )

    @property
    def changed(self) -> int:
        """Pixels that change class."""
        return sum(self.transitions.values())

    @property
    def share(self) -> float:
        """0 ... 1: part of the pixels that change class; 0 of none."""
        return self.changed / self.pixels if self.pixels else 0.0

    @property
    def mean_moved(self) -> float:
        """-1 ... 1: mean of :attr:`Changes.probability_change`; 0 of none."""
        return self.moved / self.pixels if self.pixels else 0.0

    @property
    def largest(self) -> list[tuple[tuple[int, int], int]]:
        """Transitions with their pixels, most pixels first."""
        return sorted(self.transitions.items(), key=lambda item: (-item[1], item[0]))
