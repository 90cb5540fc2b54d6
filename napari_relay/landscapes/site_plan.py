"""Where the enclosures lie, and what is in them.

The plan is a checkered country of square compounds, 1920 plan units a side.
One of every two side by side is a site: its blocks are enclosed by moats with a
bank on the inner side. The other is open country. Every block of either has a
core with features in it, drawn without knowing which of the two it is; in open
country the cores lie less regularly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from napari_relay.landscapes.features import Feature, draw_feature
from napari_relay.landscapes.grid import Rectangle
from napari_relay.landscapes.noise import derive_key
from napari_relay.landscapes.style import Plan

LOCAL_REACH = 128.0
"""Plan units: no square of this side shows both a feature and what decides its class."""
WIDE_REACH = 230.0
"""Plan units: no feature of a site is farther from its bank."""
WATER_HALF_WIDTH = 6.0
"""Of a moat or canal, in plan units."""
BANK_WIDTH = 16.0
"""Of the bank along the inner side of a moat, in plan units."""

COMPOUND = 1920.0
"""Side of a compound."""
BLOCKS = {Plan.ROWS: (480.0, COMPOUND), Plan.COURTS: (480.0, 480.0)}
"""Short and long side of a block between the middles of its moats."""
WOBBLE = 3.0
"""Plan units by which no edge of a moat or bank strays."""
MARGIN = WATER_HALF_WIDTH + BANK_WIDTH + WOBBLE + LOCAL_REACH
"""From the middle of a moat to the core of a block."""
COLUMNS = {Plan.ROWS: 22, Plan.COURTS: 2}
"""Columns of features along a core."""
UNEVEN = 15.0
"""Plan units by which the border of two columns is moved, so that they do not line up."""
OCCUPIED = 0.93
"""Share of the places in a core that have a feature."""
LONE_CANALS = 0.4
"""Share of the compounds of open country with a canal along a side: it encloses nothing."""
SHIFT = (60.0, 80.0)
"""Plan units by which a core in open country leaves the middle of its block, away from
the edge of its compound, or either way and up to the larger number: two cores stay
farther than :data:`LOCAL_REACH` from each other."""


@dataclass(frozen=True)
class Block:
    """A part of a compound, with one core of features."""

    area: Rectangle
    """Between the middles of the moats that enclose it, or would."""
    is_site: bool
    """Whether it is enclosed: then its features are the work of people."""
    key: int
    """What its features are drawn from; unrelated to :attr:`is_site`."""
    compound: Rectangle
    """That it is a part of."""
    columns: int
    """Of features along its core."""

    @property
    def core(self) -> Rectangle:
        """Where the features lie: in the middle of a block that is enclosed."""
        core = self.area.grown(-MARGIN)
        if self.is_site:
            return core
        down, across = _shift(self.area, self.compound, self.key)
        return Rectangle(core.row0 + down, core.row1 + down, core.col0 + across, core.col1 + across)

    def features(self, area: Rectangle | None = None) -> tuple[Feature, ...]:
        """The features of the core, or of those of its columns that meet an area."""
        core = self.core
        lies = core.col1 - core.col0 > core.row1 - core.row0
        along, across = (core[2:], core[:2]) if lies else (core[:2], core[2:])
        edges = np.linspace(*along, self.columns + 1)
        edges[1:-1] += np.random.default_rng(self.key).uniform(-UNEVEN, UNEVEN, self.columns - 1)
        found: list[Feature] = []
        for number, part in enumerate(pairwise(edges.tolist())):
            column = Rectangle(*across, *part) if lies else Rectangle(*part, *across)
            if area is None or column.meets(area):
                found += self._column(number, column, lies)
        return tuple(found)

    def _column(self, number: int, column: Rectangle, lies: bool) -> Iterator[Feature]:
        """Draw the features of a part of the core: two or three places, most of them taken."""
        rng = np.random.default_rng([self.key, number + 1])
        for span in _equal_parts(column[:2] if lies else column[2:], int(rng.integers(2, 4))):
            place = Rectangle(*span, *column[2:]) if lies else Rectangle(*column[:2], *span)
            feature = draw_feature(rng, place)
            if rng.random() < OCCUPIED:
                yield feature


@dataclass(frozen=True)
class SitePlan:
    """The compounds of a landscape."""

    seed: int
    """Of the landscape."""
    plan: Plan = Plan.ROWS
    """How compounds are divided."""

    def blocks(self, area: Rectangle) -> Iterator[Block]:
        """All blocks that share more than an edge with an area."""
        for i, j in _compounds(area):
            yield from (b for b in self._blocks_of(i, j) if b.area.meets(area))

    def lone_canals(self, area: Rectangle) -> Iterator[Rectangle]:
        """Middle lines, rectangles without width, of canals in open country near an area."""
        for i, j in _compounds(area):
            rng = np.random.default_rng(derive_key(self.seed, "canal", i, j))
            if rng.random() < LONE_CANALS and not self._is_site(i, j):
                row0, row1, col0, col1 = _compound(i, j)
                sides = (row0, row0, col0, col1), (row0, row1, col0, col0)
                yield Rectangle(*sides[int(rng.integers(2))])

    def _is_site(self, i: int, j: int) -> bool:
        """Decide by lot which of two neighbours in a row is the site."""
        return derive_key(self.seed, "pair", i, j // 2) % 2 == j % 2

    def _blocks_of(self, i: int, j: int) -> Iterator[Block]:
        whole, is_site = _compound(i, j), self._is_site(i, j)
        lies = derive_key(self.seed, "lies", i, j) % 2 == 0
        short, long = BLOCKS[self.plan]
        height, width = (short, long) if lies else (long, short)
        for row0, row1 in _equal_parts(whole[:2], int(COMPOUND / height)):
            for col0, col1 in _equal_parts(whole[2:], int(COMPOUND / width)):
                area = Rectangle(row0, row1, col0, col1)
                key = derive_key(self.seed, "block", i, j, int(row0), int(col0))
                yield Block(area, is_site, key, whole, COLUMNS[self.plan])


def _compounds(area: Rectangle) -> Iterator[tuple[int, int]]:
    """Places of the compounds that share a point with an area."""
    down, across = (
        range(int(low // COMPOUND), int(high // COMPOUND) + 1) for low, high in (area[:2], area[2:])
    )
    return ((i, j) for i in down for j in across)


def _compound(i: int, j: int) -> Rectangle:
    return Rectangle(i * COMPOUND, (i + 1) * COMPOUND, j * COMPOUND, (j + 1) * COMPOUND)


def _shift(area: Rectangle, whole: Rectangle, key: int) -> tuple[float, float]:
    """Draw the rows and columns by which a core lies off the middle of its block."""
    rng = np.random.default_rng([key, 0])
    down = _span(area.row0 == whole.row0, area.row1 == whole.row1)
    across = _span(area.col0 == whole.col0, area.col1 == whole.col1)
    return rng.uniform(*down), rng.uniform(*across)


def _span(first: bool, last: bool) -> tuple[float, float]:
    """How far a core may be moved, by which edges of its block are its compound's, too."""
    least, most = SHIFT
    if first:
        return (0.0, 0.0) if last else (least, most)
    return (-most, -least) if last else (-most, most)


def _equal_parts(span: Sequence[float], count: int) -> Iterator[tuple[float, float]]:
    low, high = span
    step = (high - low) / count
    return ((low + k * step, low + (k + 1) * step) for k in range(count))
