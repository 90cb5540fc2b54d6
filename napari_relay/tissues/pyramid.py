"""A core as an image, without any file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.halving import halve
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.source import ImageSource, Placement
from napari_relay.landscapes.landscape import TILE, overlap, tiles_in
from napari_relay.landscapes.placement import level_factors
from napari_relay.tissues.core import TissueCore
from napari_relay.tissues.stains import Staining

BANDS = ("red", "green", "blue")
"""Of a core's image; 0 to 255."""


@dataclass(frozen=True)
class TissueLevel:
    """One level of a core, ``(y, x, band)``, computed where it is read.

    A pixel is the mean of the level-0 pixels under it, rounded at every halving.
    """

    core: TissueCore
    """Whose level."""
    factor: int
    """Level-0 pixels a pixel: a power of 2, at most 32."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        rows, cols = (-(-side // self.factor) for side in self.core.size)
        return rows, cols, len(BANDS)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Always uint8."""
        return np.dtype(np.uint8)

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns that are computed together."""
        return TILE // self.factor, TILE // self.factor

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.uint8]:
        """Pixels ``(y, x, band)`` of three slices with step 1."""
        (y0, y1, _), (x0, x1, _) = (key[k].indices(self.shape[k]) for k in (0, 1))
        window = Window(y0, x0, max(y1 - y0, 0), max(x1 - x0, 0))
        pixels = np.empty((window.height, window.width, len(BANDS)), np.uint8)
        side = TILE // self.factor
        for tile in tiles_in(window, side):
            target, own = overlap(tile, window, side)
            pixels[target] = self._tile(tile)[own]
        return pixels[..., key[2]]

    def _tile(self, tile: tuple[int, int]) -> NDArray[np.uint8]:
        """The pixels over one tile of level 0, none from beyond the image's edge."""
        rows, cols = (side - k * TILE for side, k in zip(self.core.size, tile, strict=True))
        return halved(self.core.read_tile(*tile)[:rows, :cols], self.factor)


def halved(pixels: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Pixels ``factor``, a power of 2, times coarser."""
    for _ in range(factor.bit_length() - 1):
        pixels = halve(pixels).astype(np.uint8, copy=False)
    return pixels


def tissue_image(core: TissueCore) -> PyramidImage:
    """Make a core an image of red, green and blue in uint8, without any file.

    Levels halve until the image is at most 512 pixels a side; what was computed
    last is kept, within bounds.
    """
    factors = level_factors(core.size)
    return ImageSource(
        path=Path(f"synthetic-core-{core.seed}"),
        arrays=tuple(TissueLevel(core, factor) for factor in factors),
        chunks=((2 * TILE, 2 * TILE),) * len(factors),
        factors=tuple(map(float, factors)),
        bands=BANDS,
        placement=Placement((core.pixel_size, core.pixel_size), "um"),
        synthetic=f"tissue core, seed {core.seed}{_stained(core)}",
    ).image()


def _stained(core: TissueCore) -> str:
    return "" if core.staining is Staining.USUAL else f", {core.staining}"
