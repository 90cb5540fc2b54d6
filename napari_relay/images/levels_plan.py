"""Which levels a file lacks, and in which blocks they are built."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images.pixel_array import ChunkedArray, PixelArray
from napari_relay.images.source import ImageSource

COARSEST_SIDE = 1024
"""The coarsest level of an image is at most this wide and high."""
LARGEST_STEP = 4.0
"""Largest ratio of the factors of two neighbouring levels."""
CHUNK_SIDE = 512
"""Side of the chunks of built levels."""
BLOCK_BYTES = 32 * 2**20
"""Pixels of a block: what a thread decodes and halves at once."""


@dataclass(frozen=True)
class BuiltLevel:
    """A level to be built."""

    factor: int
    """Level-0 pixels a pixel: a power of two, 1 for a copy of level 0."""
    shape: tuple[int, int, int]
    """Rows, columns, bands."""


class Block(NamedTuple):
    """A part of a chain: all its levels there are built at once, from one decoding."""

    chain: int
    """Index of the chain."""
    row: int
    """Row of blocks."""
    col: int
    """Column of blocks."""


@dataclass(frozen=True)
class Chain:
    """Levels that are built from one level of the file, each by halving the one before."""

    root: int
    """Factor of the level of the file."""
    shape: tuple[int, int, int]
    """Rows, columns, bands of that level."""
    levels: tuple[BuiltLevel, ...]
    """Finest first; a copy of level 0 may be the first."""
    block: tuple[int, int]
    """Rows and columns of a block in pixels of the root; whole pixels of every level."""

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of blocks."""
        rows, cols = (math.ceil(self.shape[k] / self.block[k]) for k in (0, 1))
        return rows, cols

    def area(self, block: Block) -> tuple[slice, slice]:
        """Pixels of the root in a block."""
        rows, cols = (
            slice(at * side, min((at + 1) * side, size))
            for at, side, size in zip(block[1:], self.block, self.shape[:2], strict=True)
        )
        return rows, cols

    def area_at(self, block: Block, level: BuiltLevel) -> tuple[slice, slice]:
        """Pixels of a built level in a block."""
        step = level.factor // self.root
        rows, cols = (
            slice(part.start // step, math.ceil(part.stop / step)) for part in self.area(block)
        )
        return rows, cols

    def window(self, block: Block) -> Window:
        """Level-0 pixels of a block; at the image's edge it may reach a few beyond."""
        y0, y1, x0, x1 = (
            edge * self.root for part in self.area(block) for edge in (part.start, part.stop)
        )
        return Window(y0, x0, y1 - y0, x1 - x0)


def missing_chains(source: ImageSource) -> tuple[Chain, ...]:
    """What to build: levels for gaps and for the coarse end, those from coarse levels first."""
    roots, chains = exact_levels(source), dict[int, list[BuiltLevel]]()
    if not source.lazy:
        chains[1] = [BuiltLevel(1, source.arrays[0].shape)]
    known = {factor: (factor, array.shape) for factor, array in roots.items()}
    for factor in sorted(_missing_factors(source)):
        root, (rows, cols, bands) = known[factor // 2]
        shape = (math.ceil(rows / 2), math.ceil(cols / 2), bands)
        chains.setdefault(root, []).append(BuiltLevel(factor, shape))
        known[factor] = (root, shape)
    return tuple(_chain(root, roots[root], chains[root]) for root in sorted(chains, reverse=True))


def exact_levels(source: ImageSource) -> dict[int, PixelArray]:
    """Levels of the file whose factor is exactly a power of two, by factor."""
    levels = zip(source.factors, source.arrays, strict=True)
    return {int(f): array for f, array in levels if f in {2.0**k for k in range(31)}}


def _missing_factors(source: ImageSource) -> set[int]:
    """Powers of two inside gaps and beyond the coarsest level, and those on the way to them."""
    gaps = [
        (finer, coarser)
        for finer, coarser in pairwise(source.factors)
        if coarser / finer > LARGEST_STEP * 1.01
    ]
    side, coarsest = (max(array.shape[:2]) for array in (source.arrays[0], source.arrays[-1]))
    if coarsest > COARSEST_SIDE:
        end = 2.0 ** math.ceil(math.log2(side / COARSEST_SIDE))
        gaps.append((source.factors[-1], 2 * end))
    powers = [2**k for k in range(1, 31)]
    missing = {p for low, high in gaps for p in powers if low * 1.01 < p < high * 0.99}
    for factor in sorted(missing, reverse=True):
        while factor // 2 not in missing | set(exact_levels(source)):
            factor //= 2
            missing.add(factor)
    return missing


def _chain(root: int, array: PixelArray, levels: list[BuiltLevel]) -> Chain:
    step = levels[-1].factor // root
    return Chain(root, array.shape, tuple(levels), _block_shape(array, step))


def _block_shape(array: PixelArray, step: int) -> tuple[int, int]:
    """Rows and columns of a block: whole chunks of all levels if memory allows.

    A file in strips gets blocks as wide as itself, so that no strip is decoded twice.
    """
    rows, cols, bands = array.shape
    pixel = bands * np.dtype(array.dtype).itemsize
    side = max(_power_of_two(math.isqrt(BLOCK_BYTES // pixel)), step)
    native = array.chunk if isinstance(array, ChunkedArray) else (1, 1)
    width = max(side, _rounded_up(min(native[1], cols), step))
    width = _rounded_up(cols, step) if width >= cols else width
    height = max(_power_of_two(BLOCK_BYTES // (pixel * width)), step)
    return max(height, _rounded_up(min(native[0], rows), step)), width


def _power_of_two(limit: int) -> int:
    """The largest one that is no larger."""
    return 1 << (max(limit, 1).bit_length() - 1)


def _rounded_up(length: int, unit: int) -> int:
    return math.ceil(length / unit) * unit
