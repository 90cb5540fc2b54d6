"""Where corrections lie, and which of them are held out."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from napari_relay.geometry import Window
from napari_relay.training.correction_values import IGNORED, NOT_CLASS, UNTOUCHED
from napari_relay.training.examples import ExampleReader
from napari_relay.training.labelled_image import Place

MIN_TO_HOLD_OUT = 4
"""Corrected regions from which on some are held out."""
LARGEST_REGION = 4
"""Crops a side of the blocks into which a larger region is cut."""
LOOKED_AT = 256
"""Crops of one connected region whose labels are read; of more, a random choice."""

Kinds = frozenset[int]
"""Values of corrections that say something: classes, and those that it is not."""


@dataclass(frozen=True)
class Region:
    """Neighbouring crops with corrections: all of them are learnt or all held out."""

    places: tuple[Place, ...]
    """Its crops."""
    kinds: tuple[Kinds, ...]
    """What each of them says."""

    @property
    def all_kinds(self) -> Kinds:
        """What any of them says."""
        return frozenset().union(*self.kinds)


def cover(window: Window, side: int) -> list[Window]:
    """Crops of ``side`` a side that cover a window, in the middle of it."""
    rows, cols = -(-window.height // side), -(-window.width // side)
    y0 = window.y0 + (window.height - rows * side) // 2
    x0 = window.x0 + (window.width - cols * side) // 2
    return [
        Window(y0 + i * side, x0 + j * side, side, side) for i in range(rows) for j in range(cols)
    ]


def find_regions(
    readers: Sequence[ExampleReader], windows: Sequence[Sequence[Window]], rng: np.random.Generator
) -> list[Region]:
    """Group the crops that hold corrections into regions that do not touch.

    Parameters
    ----------
    readers
        Of each image.
    windows
        Where corrections lie in each of them.
    rng
        Chooses among the crops of very large regions.
    """
    found: list[Region] = []
    for number, (reader, given) in enumerate(zip(readers, windows, strict=True)):
        side = reader.config.crop_size
        crops = dict.fromkeys(w for window in given for w in cover(window, side))
        for connected in _connected(list(crops), side):
            some = sorted(rng.permutation(len(connected))[:LOOKED_AT])
            for block in _blocks([connected[i] for i in some], side):
                found += _region(reader, number, block)
    return found


def held_out_regions(regions: Sequence[Region], share: float, seed: int) -> set[int]:
    """Choose regions that are not learnt, by where they lie.

    A region stays held out, or learnt, while others are added: what one version
    was measured on, the next one does not learn. None is chosen that alone says
    something, and none that names no class.

    Parameters
    ----------
    regions
        All there are.
    share
        How many of them are chosen, 0 to 1.
    seed
        Of the choice.
    """
    if len(regions) < MIN_TO_HOLD_OUT or share <= 0:
        return set()
    wanted, chosen = max(round(share * len(regions)), 1), set[int]()
    for number in sorted(range(len(regions)), key=lambda i: _chance(regions[i], seed)):
        kept = [regions[i].all_kinds for i in range(len(regions)) if i not in {number, *chosen}]
        kinds = regions[number].all_kinds
        if len(chosen) < wanted and min(kinds) < NOT_CLASS and kinds <= frozenset().union(*kept):
            chosen.add(number)
    return chosen


def choose_evenly(
    places: Sequence[Place], kinds: Sequence[Kinds], count: int, rng: np.random.Generator
) -> list[Place]:
    """Choose at most ``count`` places, in turn one of each kind."""
    if len(places) <= count:
        return list(places)
    order = [int(i) for i in rng.permutation(len(places))]
    every = sorted(frozenset[int]().union(*kinds))
    waiting = [iter([i for i in order if kind in kinds[i]]) for kind in every]
    chosen: dict[int, None] = {}
    while len(chosen) < count:
        for left in waiting:
            fresh = next((i for i in left if i not in chosen), None)
            if fresh is not None and len(chosen) < count:
                chosen[fresh] = None
    return [places[i] for i in chosen]


def _connected(crops: list[Window], side: int) -> list[list[Window]]:
    """Crops that touch each other, also at corners, together."""
    left: dict[tuple[int, int], list[Window]] = {}
    for crop in crops:
        left.setdefault((crop.y0 // side, crop.x0 // side), []).append(crop)
    groups: list[list[Window]] = []
    while left:
        waiting, group = [next(iter(left))], list[Window]()
        while waiting:
            row, col = waiting.pop()
            here = left.pop((row, col), None)
            if here is not None:
                group += here
                waiting += [(row + dy, col + dx) for dy, dx in product((-1, 0, 1), repeat=2)]
        groups.append(group)
    return groups


def _blocks(crops: list[Window], side: int) -> list[list[Window]]:
    """A region as it is, or a large one in square blocks."""
    if len(crops) <= LARGEST_REGION**2:
        return [crops]
    blocks: dict[tuple[int, int], list[Window]] = {}
    step = side * LARGEST_REGION
    for crop in crops:
        blocks.setdefault((crop.y0 // step, crop.x0 // step), []).append(crop)
    return list(blocks.values())


def _region(reader: ExampleReader, number: int, crops: list[Window]) -> list[Region]:
    """The region of these crops; none where nothing in them says anything."""
    kinds = [_kinds(reader, crop) for crop in crops]
    said = [(Place(number, c), k) for c, k in zip(crops, kinds, strict=True) if k]
    return [Region(*map(tuple, zip(*said, strict=True)))] if said else []


def _kinds(reader: ExampleReader, window: Window) -> Kinds:
    values = np.unique(reader.labels.read(window)).tolist()
    return frozenset(values) - {UNTOUCHED, IGNORED}


def _chance(region: Region, seed: int) -> int:
    """The same for the same place, whatever else there is."""
    first = min(region.places)
    return zlib.crc32(repr((seed, first.image, first.window.y0, first.window.x0)).encode())
