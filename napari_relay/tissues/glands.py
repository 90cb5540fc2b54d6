"""Where glands lie: what tells the grades apart.

Grades 3 and 4 are made of acini of one and the same distribution of sizes and
shapes; they lie evenly apart in grade 3 and fused in sheets in grade 4. Healthy
glands are several larger circles that branch off one another, in lobules.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.landscapes.grid import Rectangle
from napari_relay.landscapes.noise import derive_key, hashed
from napari_relay.tissues.labels import Grade
from napari_relay.tissues.regions import Regions
from napari_relay.tissues.waves import Points, draw_waves

ACINUS_RADIUS = (39.0, 54.0)
"""Outer radius of an acinus of grade 3 or 4, in pixels."""
APART = 133.0
"""Pixels between the acini of grade 3."""
WINDING = 30.0
"""Pixels, standard deviation, by which the lattice of grade 3 winds."""
FUSED = 83.0
"""Pixels between the acini of a sheet of grade 4: less than two radii."""
SHEET_APART = 455.0
"""Pixels between the sheets."""
SHEET_RADIUS = (165.0, 225.0)
"""Of a sheet, to the middle of its outermost acini, in pixels."""
LOBULE_APART = 520.0
"""Pixels between lobules of healthy glands."""
BRANCH_RADIUS = (50.0, 104.0)
"""Of the circles that make up a healthy gland, in pixels."""
BRANCHES = 6
"""Circles of a healthy gland."""
LOBULE_GLANDS = 3
"""Healthy glands of a lobule."""
RIM = (18.0, 31.0)
"""Thickness of the epithelium around a lumen, in pixels."""
CLEAR = 7.0
"""Pixels that stay free between a gland and the outline of its region."""
LARGEST = BRANCH_RADIUS[1]
"""The largest radius of any circle."""

Cells = NDArray[np.int64]
"""A lattice coordinate of every cell."""


class Glands(NamedTuple):
    """Circles, or nearly, that glands are made of; all ``(gland,)``, in plan pixels."""

    row: Points
    """Of the middle."""
    col: Points
    """Of the middle."""
    radius: Points
    """Longer half axis."""
    aspect: Points
    """Shorter half axis over the longer one."""
    angle: Points
    """Of the longer half axis from the rows' direction, in radians."""
    rim: Points
    """Thickness of the epithelium around the lumen."""
    is_benign: NDArray[np.bool_]
    """Whether it is a part of a healthy gland."""
    identity: Cells
    """A number of its own."""

    def kept(self, keep: NDArray[np.bool_]) -> Glands:
        """Those of them that a mask keeps."""
        return Glands._make(field[keep] for field in self)


def glands_in(area: Rectangle, seed: int, regions: Regions) -> Glands:
    """All glands with a middle in an area, in an order of their own."""
    placed = (
        (Grade.GRADE_3, _separate(area, seed)),
        (Grade.GRADE_4, _fused(area, seed)),
        (Grade.BENIGN, _branching(area, seed)),
    )
    found = [_of_region(glands, area, regions, grade) for grade, glands in placed]
    return Glands._make(map(np.concatenate, zip(*found, strict=True)))


def _of_region(glands: Glands, area: Rectangle, regions: Regions, grade: Grade) -> Glands:
    """Glands that lie whole in regions of their grade, and in the area."""
    row0, row1, col0, col1 = area
    inside = (glands.row >= row0) & (glands.row < row1)
    near = glands.kept(inside & (glands.col >= col0) & (glands.col < col1))
    room = regions.margin(near.row, near.col, grade) - CLEAR
    return near.kept(room > near.radius)


def _separate(area: Rectangle, seed: int) -> Glands:
    """Acini on a lattice that winds; every second row of it is moved by half a step."""
    key = derive_key(seed, "separate")
    winding = [draw_waves(derive_key(key, axis), WINDING, (380.0, 900.0)) for axis in range(2)]
    strays = sum(wave.largest for wave in winding)
    turn = key % 1024 / 1024 * np.pi
    i, j = _cells(_turned(area, turn).grown(APART + strays), (APART * 0.87, APART))
    down = (i + 0.5) * APART * 0.87 + _between(key, i, j, 0, (-11, 11))
    across = (j + 0.5 + 0.5 * (i % 2)) * APART + _between(key, i, j, 1, (-11, 11))
    cos, sin = np.cos(turn), np.sin(turn)
    row, col = cos * down - sin * across, sin * down + cos * across
    row, col = (place + wave.at(row, col) for place, wave in zip((row, col), winding, strict=True))
    return _acini(key, row, col, i, j, np.zeros_like(i))


def _turned(area: Rectangle, turn: float) -> Rectangle:
    """The rectangle around an area in coordinates that are turned by ``turn``."""
    corners = np.array([(row, col) for row in area[:2] for col in area[2:]])
    cos, sin = np.cos(turn), np.sin(turn)
    down, across = corners @ (cos, sin), corners @ (-sin, cos)
    return Rectangle(down.min(), down.max(), across.min(), across.max())


def _fused(area: Rectangle, seed: int) -> Glands:
    """Acini packed in sheets; the outermost ones decide a sheet's outline."""
    key = derive_key(seed, "fused")
    i, j = _cells(area.grown(SHEET_APART), (SHEET_APART, SHEET_APART))
    row, col = _middles(key, i, j, SHEET_APART, 0.1)
    radius, turn = _between(key, i, j, 2, SHEET_RADIUS), _between(key, i, j, 3, (0, np.pi))
    stretch = _between(key, i, j, 4, (0.72, 1.0))
    steps = np.arange(-3, 4)
    a, b = (part.ravel() for part in np.meshgrid(steps, steps, indexing="ij"))
    member = np.arange(len(a))
    place = (i[:, None], j[:, None] * len(a) + member)
    along = FUSED * 0.87 * a + _between(key, *place, 5, (-9, 9))
    beside = FUSED * (b + 0.5 * (a % 2)) + _between(key, *place, 6, (-9, 9))
    reach = np.hypot(along / stretch[:, None], beside * stretch[:, None]) - radius[:, None]
    cos, sin = np.cos(turn)[:, None], np.sin(turn)[:, None]
    rows = row[:, None] + cos * along - sin * beside
    cols = col[:, None] + sin * along + cos * beside
    whole = _acini(key, *np.broadcast_arrays(rows, cols, *place, member))
    stays = _between(key, *place, 7, (0, 1)) < 0.93
    return whole.kept(((reach < 0) & stays).ravel())


def _acini(key: int, row: Points, col: Points, i: Cells, j: Cells, member: Cells) -> Glands:
    """Acini at places, with radii and shapes that do not depend on the arrangement."""
    shapes = (
        _between(key, i, j, 10, ACINUS_RADIUS),
        _between(key, i, j, 11, (0.74, 1.0)),
        _between(key, i, j, 12, (0, np.pi)),
        _between(key, i, j, 13, RIM),
    )
    fields = (row, col, *shapes, np.zeros(i.shape, bool), _identity(key, i, j, member))
    return Glands._make(field.ravel() for field in fields)


def _branching(area: Rectangle, seed: int) -> Glands:
    """Healthy glands around the middles of lobules, each a walk of circles."""
    key = derive_key(seed, "branching")
    i, j = _cells(area.grown(LOBULE_APART), (LOBULE_APART, LOBULE_APART))
    row, col = (place[:, None] for place in _middles(key, i, j, LOBULE_APART, 0.07))
    part = (i[:, None], j[:, None] * LOBULE_GLANDS + np.arange(LOBULE_GLANDS))
    turn = _between(key, i, j, 2, (0, 2 * np.pi))[:, None]
    spoke = turn + 2 * np.pi / LOBULE_GLANDS * np.arange(LOBULE_GLANDS)
    out = _between(key, *part, 3, (140, 160))
    row, col = row + out * np.cos(spoke), col + out * np.sin(spoke)
    member = np.arange(BRANCHES)
    twig = (part[0][..., None], part[1][..., None] * BRANCHES + member)
    # Branches leave the first circle sideways, so that lobules stay apart.
    angle = spoke[..., None] + np.pi * (member - 0.5) + _between(key, *twig, 4, (-1.1, 1.1))
    step = np.where(member == 0, 0.0, np.where(member < 4, 80.0, 118.0))
    low, high = BRANCH_RADIUS
    radius = np.where(
        member == 0, _between(key, *twig, 5, (78, high)), _between(key, *twig, 5, (low, 70))
    )
    rows, cols = row[..., None] + step * np.cos(angle), col[..., None] + step * np.sin(angle)
    aspect, tilt = _between(key, *twig, 6, (0.75, 1.0)), _between(key, *twig, 7, (0, np.pi))
    rim, own = np.full(rows.shape, np.mean(RIM)), _identity(key, *twig, member)
    fields = (rows, cols, radius, aspect, tilt, rim, np.ones(rows.shape, bool), own)
    return Glands._make(np.broadcast_to(field, rows.shape).ravel() for field in fields)


def _cells(area: Rectangle, steps: tuple[float, float]) -> tuple[Cells, Cells]:
    """Lattice cells that cover an area."""
    spans = (
        np.arange(int(np.floor(low / step)), int(np.floor(high / step)) + 1)
        for low, high, step in zip(area[::2], area[1::2], steps, strict=True)
    )
    i, j = np.meshgrid(*spans, indexing="ij")
    return i.ravel(), j.ravel()


def _middles(key: int, i: Cells, j: Cells, apart: float, uneven: float) -> tuple[Points, Points]:
    """Middle of each cell, moved by a share of its side."""
    moved = (_between(key, i, j, k, (0.5 - uneven, 0.5 + uneven)) for k in range(2))
    down, across = moved
    return (i + down) * apart, (j + 0.5 * (i % 2) + across) * apart


def _between(key: int, i: Cells, j: Cells, number: int, ends: tuple[float, float]) -> Points:
    """Random values of a range, one for each pair of whole numbers."""
    low, high = ends
    lots = hashed((key + 0x9E3779B97F4A7C15 * (number + 1)) % 2**64, i, j)
    return low + (high - low) * lots.astype(np.float64)


def _identity(key: int, i: Cells, j: Cells, member: Cells) -> Cells:
    return np.asarray((i * 65537 + j) * 64 + member + key % 2**20 * 2**40)
