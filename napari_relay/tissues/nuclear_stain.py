"""Nuclei as haematoxylin on the pixels of a tile."""

from __future__ import annotations

import numpy as np

from napari_relay.landscapes.grid import Field
from napari_relay.landscapes.landscape import TILE
from napari_relay.tissues.nuclei import REACH, Nuclei

SOFT = 1.5
"""Pixels over which the edge of a nucleus fades."""
MEMBRANE = 0.3
"""How much more stain the envelope of a nucleus holds than its inside."""
NUCLEOLUS = 0.45
"""The same of the spot within it."""

_SIDE = 2 * REACH + 1


def draw_nuclei(nuclei: Nuclei, tile: tuple[int, int]) -> Field:
    """Haematoxylin of nuclei at each pixel of a tile, 0 ... about 1.5, ``(256, 256)``.

    Where two overlap the darker one shows.
    """
    canvas = np.zeros((TILE + 2 * _SIDE, TILE + 2 * _SIDE), np.float32)
    top, left = (np.round(place).astype(np.int64) - REACH for place in nuclei[:2])
    stamps = _stamps(nuclei, nuclei.row - top, nuclei.col - left)
    steps = np.arange(_SIDE)
    rows = (top - tile[0] * TILE + _SIDE)[:, None, None] + steps[:, None]
    cols = (left - tile[1] * TILE + _SIDE)[:, None, None] + steps
    np.maximum.at(canvas.ravel(), (rows * canvas.shape[1] + cols).ravel(), stamps.ravel())
    return canvas[_SIDE:-_SIDE, _SIDE:-_SIDE]


def _stamps(nuclei: Nuclei, row: np.ndarray, col: np.ndarray) -> Field:
    """Each nucleus on a square of its own: ``(nucleus, row, col)``."""
    steps = np.arange(_SIDE, dtype=np.float32)
    down = steps[None, :, None] - row.astype(np.float32)[:, None, None]
    across = steps[None, None, :] - col.astype(np.float32)[:, None, None]
    length, width, angle, stain, rank = (
        part.astype(np.float32)[:, None, None] for part in nuclei[2:]
    )
    cos, sin = np.cos(angle), np.sin(angle)
    u, v = cos * down + sin * across, cos * across - sin * down
    radius = np.sqrt((u / length) ** 2 + (v / width) ** 2)
    cover = np.clip((1 - radius) * width / SOFT + 0.5, 0, 1)
    envelope = MEMBRANE * np.exp(-(((radius - 0.85) / 0.16) ** 2))
    off = (rank - 0.5) * 0.7
    spot = ((u - off * length) ** 2 + (v - 0.4 * off * width) ** 2) / 2.4
    inside = 0.8 + envelope + NUCLEOLUS * np.exp(-spot) * (width > 4)
    return np.asarray(cover * stain * inside, np.float32)
