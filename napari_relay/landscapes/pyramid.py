"""A landscape as an image and its labels, without any file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.halving import halve
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.source import ImageSource, Placement
from napari_relay.landscapes.labels import LANDSCAPE_CLASSES
from napari_relay.landscapes.landscape import TILE, Landscape, overlap, tiles_in
from relay_tokens import IGNORE_INDEX, ClassSchema

BANDS = ("red", "green", "blue", "elevation")
"""Of a landscape's image; colours 0 to 255, elevation in metres."""
CRS = "EPSG:32648"
"""UTM zone 48 north: Cambodia."""
CORNER = (370_000.0, 1_490_000.0)
"""Easting and northing of the upper-left corner of every landscape, in metres."""
FINEST_SAMPLES = 4
"""Samples along a side of a pixel of a coarser level."""
SMALLEST_SIDE = 512
"""The coarsest level is the first one that is no larger."""

_CHUNK = (2 * TILE, 2 * TILE)


@dataclass(frozen=True)
class LandscapeLevel:
    """One level of a landscape, ``(y, x, band)``, computed where it is read.

    A pixel is the mean of the level-0 pixels under it up to a factor of 4, and
    beyond of 4 × 4 samples spread over it, from which what is finer than their
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
        return TILE, TILE

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.float32]:
        """Pixels ``(y, x, band)`` of three slices with step 1."""
        (y0, y1, _), (x0, x1, _) = (key[k].indices(self.shape[k]) for k in (0, 1))
        window = Window(y0, x0, max(y1 - y0, 0), max(x1 - x0, 0))
        pixels = np.empty((window.height, window.width, len(BANDS)), np.float32)
        side = TILE // self._samples
        for tile in tiles_in(window, side):
            target, own = overlap(tile, window, side)
            pixels[target] = self._tile(tile)[own]
        return pixels[..., key[2]]

    @property
    def _samples(self) -> int:
        return min(self.factor, FINEST_SAMPLES)

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


@dataclass(frozen=True)
class LandscapeLabels:
    """The classes of a landscape as a label source for training."""

    landscape: Landscape
    """Whose classes."""

    @property
    def classes(self) -> ClassSchema:
        """What the label values mean."""
        return LANDSCAPE_CLASSES

    def read(self, window: Window) -> NDArray[np.uint8]:
        """Compute ``(height, width)`` classes; 255 outside the landscape."""
        labels = np.full((window.height, window.width), IGNORE_INDEX, dtype=np.uint8)
        inside = window.intersection(self.landscape.window)
        if inside.area:
            moved = Window(inside.y0 - window.y0, inside.x0 - window.x0, *inside[2:])
            labels[moved.slices] = self.landscape.read_labels(inside)
        return labels


def landscape_image(landscape: Landscape) -> PyramidImage:
    """Open a landscape as an image of :data:`BANDS` in float32.

    Levels halve until both sides are at most 512 pixels (see
    :class:`LandscapeLevel`); what was computed last is kept, within bounds.
    """
    factors = [1]
    while max(landscape.size) > SMALLEST_SIDE * factors[-1]:
        factors.append(2 * factors[-1])
    side = landscape.pixel_size
    return ImageSource(
        path=Path(f"landscape-{landscape.seed}"),
        arrays=tuple(LandscapeLevel(landscape, factor) for factor in factors),
        chunks=(_CHUNK,) * len(factors),
        factors=tuple(map(float, factors)),
        bands=BANDS,
        placement=Placement((side, side), "m", CRS, landscape_affine(landscape)),
    ).image()


def landscape_affine(landscape: Landscape) -> tuple[float, float, float, float, float, float]:
    """Affine of a landscape's pixel corners in :data:`CRS`, as images have it."""
    side = landscape.pixel_size
    return side, 0.0, CORNER[0], 0.0, -side, CORNER[1]
