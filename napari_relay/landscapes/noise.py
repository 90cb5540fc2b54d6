"""Smooth random fields that are functions of a key and a place alone.

A field is a cubic B-spline over a lattice of hashed values. Only the lattice
points around a place count, so any part of a field can be computed by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from napari_relay.landscapes.grid import Field, SampleGrid

GAIN = 2.0
"""Brings the spread of a spline over values in -1 ... 1 to about 0.55."""
FINEST = 2.0
"""A lattice closer than this many samples would only alias; its field is 0."""

_ROW, _COL = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))


def derive_key(seed: int, *names: str | int) -> int:
    """Make a number below 2⁶⁴ for one purpose; other names give an unrelated one."""
    text = "|".join(map(str, (seed, *names)))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def hashed(key: int, rows: NDArray[np.int64], cols: NDArray[np.int64]) -> Field:
    """Random values in 0 ... 1 at whole coordinates, by the mixing of splitmix64.

    Parameters
    ----------
    key
        Which of the random fields.
    rows, cols
        Whole numbers of any sign, of shapes that broadcast.

    Returns
    -------
    Field
        ``rows`` and ``cols`` broadcast; below 1.

    Notes
    -----
    Steele, Lea and Flood (2014), "Fast splittable pseudorandom number generators".
    """
    mixed = rows.astype(np.uint64) * _ROW + cols.astype(np.uint64) * _COL + np.uint64(key)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX[0]
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX[1]
    return ((mixed ^ (mixed >> np.uint64(31))) >> np.uint64(40)).astype(np.float32) * 2.0**-24


def smooth_noise(grid: SampleGrid, key: int, spacing: float) -> Field:
    """Random field, mean 0 and standard deviation about 0.55, within -2 ... 2.

    Parameters
    ----------
    grid
        Where.
    key
        Which field (see :func:`derive_key`).
    spacing
        Plan units between lattice points: the size of a hump.
    """
    if spacing < FINEST * grid.step:
        return grid.zeros()
    down, rows = _spline(grid.rows.tobytes(), spacing)
    across, cols = _spline(grid.cols.tobytes(), spacing)
    values = np.float32(GAIN) * (2 * hashed(key, rows[None, :], cols[:, None]) - 1)
    return np.asarray(down @ (across @ values).T, np.float32)


def layered_noise(grid: SampleGrid, key: int, amplitudes: Mapping[float, float]) -> Field:
    """Sum of fields, one for each lattice spacing, times its amplitude."""
    total = grid.zeros()
    for spacing, amplitude in amplitudes.items():
        total += amplitude * smooth_noise(grid, derive_key(key, str(spacing)), spacing)
    return total


def smooth_step(values: Field, low: float, high: float) -> Field:
    """0 up to ``low``, 1 from ``high`` on, and a smooth rise between."""
    t = np.clip((values - np.float32(low)) * np.float32(1 / (high - low)), 0, 1)
    rise: Field = t * t * (3 - 2 * t)
    return rise


@lru_cache(maxsize=96)
def _spline(places: bytes, spacing: float) -> tuple[csr_array, NDArray[np.int64]]:
    """Weights ``(place, lattice point)`` of a cubic B-spline, and the lattice points.

    Sparse, and kept: the places of a tile are those of all tiles beside it, and
    dense products of this size spend more in waking BLAS's threads than in computing.

    Parameters
    ----------
    places
        Plan coordinates, rising, as the bytes of a float64 array.
    spacing
        Plan units between lattice points.
    """
    scaled = np.frombuffer(places) / spacing
    whole = np.floor(scaled)
    t = (scaled - whole).astype(np.float32)
    first = whole.astype(np.int64) - 1
    points = np.arange(first[0], first[-1] + 4)
    square, rest = t * t, 1 - t
    parts = (rest**3, 4 - 3 * square * (2 - t), 4 - 3 * rest**2 * (2 - rest), square * t)
    weights = np.stack([part / 6 for part in parts], axis=1)
    nearest = ((first - first[0])[:, None] + np.arange(4)).astype(np.int32)
    starts = np.arange(0, weights.size + 1, 4, dtype=np.int32)
    shape = (len(t), len(points))
    return csr_array((weights.ravel(), nearest.ravel(), starts), shape=shape), points
