"""Whether one sees where a prediction was cut into tiles."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid
from napari_relay.inference.store import PredictionStore
from relay_tokens import IGNORE_INDEX

Index = tuple[int, int]
Line = NDArray[np.uint8]

_EDGES_KEPT = 20_000


@dataclass
class _Tally:
    """Pairs of neighbouring pixels, and how many of them differ in their label."""

    pairs: int = 0
    differing: int = 0

    def count(self, one: Line, other: Line) -> None:
        """Add the pairs of two equally long lines, but those without a label."""
        labelled = (one != IGNORE_INDEX) & (other != IGNORE_INDEX)
        self.pairs += int(labelled.sum())
        self.differing += int(((one != other) & labelled).sum())

    @property
    def share(self) -> float:
        return self.differing / self.pairs


@dataclass
class _Edges:
    """A tile's outermost lines: top, bottom, left, right."""

    lines: list[Line]
    unmet: int = 4


class SeamMeter:
    """How much more often labels change at tile borders than elsewhere.

    The score is the share of pixel pairs across tile borders whose labels
    differ, over that share elsewhere: about 1 without seams. *Elsewhere* are
    the lines between tile borders that lie as the borders do on the model's
    patches, whose edges show in labels too; so both sides count them.

    Tiles may come in any order. Of each only the outermost lines are kept, until
    its neighbours came, and of 20 000 tiles at most.
    """

    def __init__(self, grid: TileGrid) -> None:
        self._grid = grid
        # Crops begin at multiples of this, and patches with them.
        self._step = math.gcd(grid.halo, grid.stride) if grid.halo else max(grid.stride // 2, 1)
        self._borders, self._elsewhere = _Tally(), _Tally()
        self._edges: OrderedDict[Index, _Edges] = OrderedDict()

    def add(self, position: Index, labels: NDArray[np.uint8]) -> None:
        """Take in a tile, ``(rows, cols)`` of labels."""
        for block in (labels, labels.T):
            inner = np.arange(self._step, len(block), self._step)
            self._elsewhere.count(block[inner - 1], block[inner])
        lines = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
        self._edges[position] = _Edges([line.copy() for line in lines])
        self._meet(position)
        if len(self._edges) > _EDGES_KEPT:
            self._edges.popitem(last=False)

    def _meet(self, position: Index) -> None:
        """Compare a tile's edges with those of its neighbours; drop who met all."""
        row, col = position
        around = ((row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1))
        edges = self._edges[position]
        for side, other in enumerate(around):
            if self._is_outside(other):
                edges.unmet -= 1
            elif other in self._edges:
                # Top meets bottom (0, 1), left meets right (2, 3).
                self._borders.count(edges.lines[side], self._edges[other].lines[side ^ 1])
                edges.unmet -= 1
                self._edges[other].unmet -= 1
        for tile in (position, *around):
            if tile in self._edges and not self._edges[tile].unmet:
                del self._edges[tile]

    def _is_outside(self, tile: Index) -> bool:
        return not all(0 <= k < size for k, size in zip(tile, self._grid.shape, strict=True))

    @property
    def score(self) -> float | None:
        """The ratio; None before there is anything to compare.

        1 where labels change nowhere, infinite where they change at borders only.
        """
        if not self._borders.pairs or not self._elsewhere.pairs:
            return None
        if not self._elsewhere.differing:
            return math.inf if self._borders.differing else 1.0
        return self._borders.share / self._elsewhere.share


def seam_score(store: PredictionStore) -> float | None:
    """The :class:`SeamMeter`'s score of all that a store holds, read row by row of tiles."""
    meter = SeamMeter(store.grid)
    for row, col in np.argwhere(store.finished).tolist():
        meter.add((row, col), store.read_labels(store.grid.tile(row, col)))
    return meter.score
