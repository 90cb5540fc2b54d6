"""Where nuclei lie: in rows along the base of the epithelium, in cords, in stroma."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_relay.landscapes.landscape import TILE
from napari_relay.landscapes.noise import derive_key, hashed, smooth_noise
from napari_relay.tissues.anatomy import Anatomy
from napari_relay.tissues.labels import Grade
from napari_relay.tissues.regions import margin_of
from napari_relay.tissues.waves import Points

REACH = 12
"""Pixels from its middle that a nucleus never leaves."""
CLOSEST = 7.4
"""Pixels between the middles of two nuclei at least."""
PITCH = 11.5
"""Pixels between the nuclei of a row."""
DEPTH = (5.5, 13.5)
"""Pixels from the outline of an acinus to the middles of its nuclei."""
LATTICE = 13.0
"""Pixels between the places where nuclei outside of rows may lie."""
FIBROBLASTS = 0.09
"""Share of those places in stroma that have one."""
SINGLE_CELLS = 0.10
"""Share of those places beside cords that have a cell."""
EXTENT = 100.0
"""No circle has more nuclei around it than fit this radius."""


class Nuclei(NamedTuple):
    """Ellipses, all ``(nucleus,)``, in level-0 pixels."""

    row: Points
    """Of the middle."""
    col: Points
    """Of the middle."""
    length: Points
    """Longer half axis."""
    width: Points
    """Shorter half axis."""
    angle: Points
    """Of the longer half axis from the rows' direction, in radians."""
    stain: Points
    """Haematoxylin, 1 for a usual nucleus."""
    rank: Points
    """0 ... 1: of two that overlap the higher one stays."""

    def kept(self, keep: NDArray[np.bool_]) -> Nuclei:
        """Those of them that a mask keeps."""
        return Nuclei._make(field[keep] for field in self)


def nuclei_in(anatomy: Anatomy, fibres: Points) -> Nuclei:
    """All nuclei that meet a tile.

    Parameters
    ----------
    anatomy
        Of the tile.
    fibres
        Direction of the fibres of stroma at its points, in radians.
    """
    sources = (_in_rows(anatomy), _elsewhere(anatomy, fibres))
    both = Nuclei._make(map(np.concatenate, zip(*sources, strict=True)))
    near = both.kept(_meets(anatomy, both.row, both.col, REACH + 2 * CLOSEST))
    spaced = near.kept(_undisturbed(near))
    return spaced.kept(_meets(anatomy, spaced.row, spaced.col, REACH))


def _meets(anatomy: Anatomy, row: Points, col: Points, margin: float) -> NDArray[np.bool_]:
    """Which places lie in the tile or near it."""
    top, left = (k * TILE for k in anatomy.tile)
    down = (row > top - margin) & (row < top + TILE - 1 + margin)
    met: NDArray[np.bool_] = down & (col > left - margin) & (col < left + TILE - 1 + margin)
    return met


def _undisturbed(nuclei: Nuclei) -> NDArray[np.bool_]:
    """Which nuclei have no other of a higher rank too near."""
    keep = np.ones(len(nuclei.row), bool)
    if not keep.size:
        return keep
    places = np.column_stack([nuclei.row, nuclei.col])
    one, other = cKDTree(places).query_pairs(CLOSEST, output_type="ndarray").T
    keep[np.where(nuclei.rank[one] < nuclei.rank[other], one, other)] = False
    return keep


def _in_rows(anatomy: Anatomy) -> Nuclei:
    """Nuclei around each circle, but for those that lie inside another."""
    glands = anatomy.glands
    number = np.arange(int(2 * np.pi * EXTENT / PITCH))[None]
    own = glands.identity[:, None]
    lots = _lots(anatomy, "rows", own, number, 6)
    depth = DEPTH[0] + (DEPTH[1] - DEPTH[0]) * lots[0]
    reach = glands.radius[:, None] - depth
    count = np.round(np.pi * (1 + glands.aspect) * (glands.radius - DEPTH[1]) / PITCH)[:, None]
    turn = 2 * np.pi * (number + 0.6 * (lots[1] - 0.5)) / count
    u, v = reach * np.cos(turn), glands.aspect[:, None] * reach * np.sin(turn)
    cos, sin = np.cos(glands.angle)[:, None], np.sin(glands.angle)[:, None]
    rows, cols = glands.row[:, None] + cos * u - sin * v, glands.col[:, None] + sin * u + cos * v
    taken = number < count
    outwards = (turn + glands.angle[:, None])[taken]
    row, col = anatomy.plan.unbent(rows[taken], cols[taken])
    nuclei = _epithelial(row, col, outwards, [lot[taken] for lot in lots[2:]])
    near = nuclei.kept(_meets(anatomy, row, col, REACH + 2 * CLOSEST))
    return near.kept(_own(anatomy, near))


def _own(anatomy: Anatomy, near: Nuclei) -> NDArray[np.bool_]:
    """Which nuclei no other circle or lumen covers."""
    deepest = anatomy.at(anatomy.deepest, near.row, near.col)
    lumen = anatomy.at(anatomy.lumen, near.row, near.col)
    kept: NDArray[np.bool_] = (deepest > -DEPTH[1] - 3) & (lumen > 4) & _covered(anatomy, near)
    return kept


def _covered(anatomy: Anatomy, nuclei: Nuclei) -> NDArray[np.bool_]:
    """Which nuclei lie inside the core."""
    covered: NDArray[np.bool_] = anatomy.at(anatomy.edge, nuclei.row, nuclei.col) < -5
    return covered


def _epithelial(row: Points, col: Points, angle: Points, lots: list[Points]) -> Nuclei:
    """Round to oval nuclei, of the same sizes in every grade."""
    length = 6.0 + 3.6 * lots[0] ** 1.5
    return Nuclei(
        row,
        col,
        length,
        length * (0.62 + 0.34 * lots[1]),
        angle + 1.2 * (lots[2] - 0.5),
        0.6 + 0.6 * ((7 * lots[1]) % 1),
        lots[3],
    )


def _elsewhere(anatomy: Anatomy, fibres: Points) -> Nuclei:
    """Nuclei at the places of an uneven lattice that the tissue around them allows."""
    grid = anatomy.grid
    spans = (
        np.arange(int(places[0] // LATTICE), int(places[-1] // LATTICE) + 1)
        for places in (grid.rows, grid.cols)
    )
    i, j = (part.ravel() for part in np.meshgrid(*spans, indexing="ij"))
    lots = _lots(anatomy, "elsewhere", i, j, 7)
    row, col = (i + 0.15 + 0.7 * lots[0]) * LATTICE, (j + 0.15 + 0.7 * lots[1]) * LATTICE
    cells = _epithelial(row, col, np.pi * lots[2], lots[3:7])
    inside = _meets(anatomy, row, col, REACH + 2 * CLOSEST) & _covered(anatomy, cells)
    epithelial = inside & _is_epithelial(anatomy, cells, lots[2])
    in_stroma, there = _stromal(anatomy, cells, fibres, lots)
    stroma = inside & ~epithelial & there
    parts = cells.kept(epithelial), in_stroma.kept(stroma)
    return Nuclei._make(map(np.concatenate, zip(*parts, strict=True)))


def _is_epithelial(anatomy: Anatomy, cells: Nuclei, lot: Points) -> NDArray[np.bool_]:
    """Cells of cords, those between fused acini, and single cells of grade 5."""
    place = cells.row, cells.col
    epithelium, cords = anatomy.at(anatomy.epithelium, *place), anatomy.at(anatomy.cords, *place)
    between = (anatomy.at(anatomy.deepest, *place) > -DEPTH[0] + 3) & (epithelium < -7)
    in_cord = (cords < -3) & (lot < 0.9)
    spread = margin_of(anatomy.grades, Grade.GRADE_5)
    alone = (anatomy.at(spread, *place) > 12) & (epithelium > 8) & (lot < SINGLE_CELLS)
    found: NDArray[np.bool_] = (between & (cords > 0)) | in_cord | alone
    return found


def _stromal(
    anatomy: Anatomy, cells: Nuclei, fibres: Points, lots: list[Points]
) -> tuple[Nuclei, NDArray[np.bool_]]:
    """Spindles along the fibres and, in patches, round lymphocytes; and which there are."""
    place = cells.row, cells.col
    patches = smooth_noise(anatomy.grid, derive_key(anatomy.plan.seed, "inflamed"), 150.0)
    crowd = np.clip(anatomy.at(patches.astype(np.float64), *place) - 0.85, 0, 1)
    round_ = lots[6] < 3 * crowd
    stroma = Nuclei(
        *place,
        np.where(round_, 5.0 + lots[3], 6.5 + 4.5 * lots[3]),
        np.where(round_, 4.6, 1.9 + 1.2 * lots[4]),
        _direction(anatomy, fibres, *place),
        np.where(round_, 1.25, 0.7 + 0.4 * lots[5]),
        0.5 * cells.rank,
    )
    there = (anatomy.at(anatomy.epithelium, *place) > 5) & (lots[2] < FIBROBLASTS + 2 * crowd)
    return stroma, there


def _lots(
    anatomy: Anatomy, name: str, i: NDArray[np.int64], j: NDArray[np.int64], count: int
) -> list[Points]:
    """Some random values in 0 ... 1 for each pair of whole numbers."""
    keys = (derive_key(anatomy.plan.seed, name, k) for k in range(count))
    return [hashed(key, i, j).astype(np.float64) for key in keys]


def _direction(anatomy: Anatomy, fibres: Points, rows: Points, cols: Points) -> Points:
    """Direction of the fibres, whose sign means nothing."""
    doubled = (anatomy.at(part(2 * fibres), rows, cols) for part in (np.sin, np.cos))
    found: Points = np.arctan2(*doubled) / 2
    return found
