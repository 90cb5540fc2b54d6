"""Landscapes: images that are computed when they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.halving import halve
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.source import ImageSource, Placement
from napari_relay.landscapes import LANDSCAPE_SUFFIX, Landscape, read_landscape_file
from napari_relay.landscapes.landscape import TILE, overlap, tiles_in
from napari_relay.landscapes.placement import CRS, landscape_affine, level_factors

BANDS = ("red", "green", "blue", "elevation")
"""Of a landscape's image; colours 0 to 255, elevation in metres."""
COARSEST_MEAN = 4
"""Factor up to which a pixel of a level is the mean of all the pixels under it."""
COARSE_SAMPLES = 2
"""Samples along a side of a pixel of a coarser level."""


@dataclass(frozen=True)
class LandscapeLevel:
    """One level of a landscape, ``(y, x, band)``, computed where it is read.

    A pixel is the mean of the level-0 pixels under it up to a factor of 4, and
    beyond of 2 × 2 samples spread over it, from which what is finer than their
    distance was left out.
    """

    landscape: Landscape
    """Whose level."""
    factor: int
    """Level-0 pixels a pixel: a power of 2."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        rows, cols = (-(-side // self.factor) for side in self.landscape.size)
        return rows, cols, len(BANDS)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Always float32."""
        return np.dtype(np.float32)

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns that are computed together."""
        return self._side, self._side

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """Pixels ``(y, x, band)`` of three slices with step 1."""
        (y0, y1, _), (x0, x1, _) = (key[k].indices(self.shape[k]) for k in (0, 1))
        window = Window(y0, x0, max(y1 - y0, 0), max(x1 - x0, 0))
        pixels = np.empty((window.height, window.width, len(BANDS)), np.float32)
        for tile in tiles_in(window, self._side):
            target, own = overlap(tile, window, self._side)
            pixels[target] = self._tile(tile)[own]
        return pixels[..., key[2]]

    @property
    def _side(self) -> int:
        """Side of the pixels over one tile of samples."""
        return TILE // self._samples

    @property
    def _samples(self) -> int:
        return self.factor if self.factor <= COARSEST_MEAN else COARSE_SAMPLES

    def _tile(self, tile: tuple[int, int]) -> NDArray[np.float32]:
        """The pixels over one tile of samples, none from beyond the landscape's edge."""
        step = self.factor / self._samples
        rows, cols = (
            round(-(-side // step)) - k * TILE
            for side, k in zip(self.landscape.size, tile, strict=True)
        )
        pixels = self.landscape.sample(*tile, step)[:rows, :cols]
        for _ in range(self._samples.bit_length() - 1):
            pixels = halve(pixels).astype(np.float32, copy=False)
        return pixels


def open_landscape(path: Path) -> ImageSource:
    """Read which landscape a ``.landscape`` file stands for.

    Raises
    ------
    UserError
        When the file holds anything else.
    """
    return _source(read_landscape_file(path), path)


def landscape_image(landscape: Landscape) -> PyramidImage:
    """Make a landscape an image of :data:`BANDS` in float32, without any file.

    Levels halve until both sides are at most 512 pixels (see
    :class:`LandscapeLevel`); what was computed last is kept, within bounds.
    """
    return _source(landscape, Path(f"landscape-{landscape.seed}{LANDSCAPE_SUFFIX}")).image()


def _source(landscape: Landscape, path: Path) -> ImageSource:
    factors, side = level_factors(landscape.size), landscape.pixel_size
    return ImageSource(
        path=path,
        arrays=tuple(LandscapeLevel(landscape, factor) for factor in factors),
        chunks=((TILE, TILE),) * len(factors),
        factors=tuple(map(float, factors)),
        bands=BANDS,
        placement=Placement((side, side), "m", CRS, landscape_affine(landscape)),
        synthetic=f"landscape, {landscape}",
    )
