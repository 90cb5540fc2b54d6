"""Large images for the benchmarks: tiled JPEG BigTIFFs, of any size in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray

TILE = 512
"""Side of the file's tiles, px."""
QUALITY = 85
"""JPEG quality, as scanners have it."""
POOL = 64
"""Different tiles a level; a larger image repeats them in random order."""


def write_slide(path: Path, side: int, levels: int, seed: int = 0) -> None:
    """Write an RGB BigTIFF of ``side`` × ``side`` px with JPEG tiles, like a scanner's.

    Each level is half as wide as the one before. The levels have the same kind
    of content but are not halvings of each other: reading costs the same.

    Parameters
    ----------
    path
        The file to write.
    side
        Rows and columns of level 0.
    levels
        Number of levels.
    seed
        Of the tiles and their order.
    """
    rng = np.random.default_rng(seed)
    pool = [_encoded(_tissue(rng)) for _ in range(POOL)]
    with tifffile.TiffWriter(path, bigtiff=True) as writer:
        for level in range(levels):
            shape = (side >> level, side >> level, 3)
            writer.write(
                _tiles(pool, shape, rng),
                shape=shape,
                dtype=np.uint8,
                tile=(TILE, TILE),
                compression="jpeg",
                photometric="ycbcr",
                subsampling=(2, 2),
                subifds=levels - 1 if level == 0 else None,
                subfiletype=1 if level else 0,
                resolution=(20_000 / 2**level, 20_000 / 2**level),
                resolutionunit="CENTIMETER",
                metadata=None,
            )


def _tiles(
    pool: list[bytes], shape: tuple[int, int, int], rng: np.random.Generator
) -> Iterator[bytes]:
    count = -(-shape[0] // TILE) * -(-shape[1] // TILE)
    return (pool[index] for index in rng.integers(0, len(pool), count))


def _encoded(tile: NDArray[np.uint8]) -> bytes:
    encoded: bytes = imagecodecs.jpeg8_encode(
        tile, level=QUALITY, colorspace="RGB", outcolorspace="YCBCR", subsampling="420"
    )
    return encoded


def _tissue(rng: np.random.Generator) -> NDArray[np.uint8]:
    """Blobs of several sizes in the colours of a stained slide ``(TILE, TILE, 3)``."""
    relief = np.zeros((TILE, TILE))
    for cell in (64, 16, 4):
        coarse = rng.normal(size=(TILE // cell, TILE // cell))
        relief += np.kron(coarse, np.ones((cell, cell))) * cell**0.3
    share = 1 / (1 + np.exp(-relief))[..., None]
    colours = np.array([235, 225, 235]) * (1 - share) + np.array([120, 70, 150]) * share
    return np.clip(colours + rng.normal(0, 4, colours.shape), 0, 255).astype(np.uint8)
