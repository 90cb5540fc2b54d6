"""One level of an image whose bands are worked out where they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.pyramid import Patch, PyramidImage, has_data
from napari_relay.images.relief.relief import Relief, padded_indices
from napari_relay.images.relief.spacing import Spacing

CHUNK_SIDE = 512
"""Side of the chunks."""

Band = int | Relief
"""One of the image's own bands, by its index, or how one is worked out."""


class Extent(NamedTuple):
    """Pixels of a level along one axis."""

    start: int
    """First pixel."""
    stop: int
    """Pixel after the last."""

    @property
    def length(self) -> int:
        """Number of pixels."""
        return max(self.stop - self.start, 0)

    def expanded(self, margin: int) -> Extent:
        """The pixels with ``margin`` more on both sides."""
        return Extent(self.start - margin, self.stop + margin)

    def within(self, length: int) -> Extent:
        """Those of the pixels that exist."""
        return Extent(max(self.start, 0), min(self.stop, length))

    def slice_from(self, outer: Extent) -> slice:
        """Index of the pixels among others that hold them all."""
        return slice(self.start - outer.start, self.stop - outer.start)


class Block(NamedTuple):
    """Pixels that were read, and where."""

    rows: Extent
    """Rows of the level."""
    cols: Extent
    """Columns of the level."""
    patch: Patch
    """The pixels, in all of the image's own bands."""


@dataclass(frozen=True, eq=False)
class ReliefLevel:
    """A level, in float32, to be read like any other: a ``PixelArray``.

    A window is worked out from just the elevation that it depends on, so that
    tiles meet without a seam, wherever they are cut.
    """

    image: PyramidImage
    """The image with the elevation."""
    level: int
    """Which of its levels."""
    bands: tuple[Band, ...]
    """What the bands are, with radii in this level's pixels."""
    elevation: int
    """Index of the image's band of elevation."""
    spacing: Spacing
    """Distance of this level's pixels, in the unit of the elevation."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        rows, cols, _ = self.image.levels[self.level].shape
        return rows, cols, len(self.bands)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """float32."""
        return np.dtype(np.float32)

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns that are worked out together where they are kept."""
        return CHUNK_SIDE, CHUNK_SIDE

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices with step 1; NaN without data."""
        rows, cols = (Extent(*k.indices(n)[:2]) for k, n in zip(key, self.shape[:2], strict=False))
        numbers = np.arange(len(self.bands))[key[2]]  # Dask asks for a single band by its number
        made = self._pixels(rows, cols, [self.bands[k] for k in np.atleast_1d(numbers)])
        return made.reshape(*made.shape[:2], *numbers.shape)

    def _pixels(self, rows: Extent, cols: Extent, bands: Sequence[Band]) -> NDArray[np.float32]:
        made = np.empty((rows.length, cols.length, len(bands)), np.float32)
        if made.size:
            halo = max((b.halo for b in bands if isinstance(b, Relief)), default=0)
            block = self._block(rows.expanded(halo), cols.expanded(halo))
            for k, band in enumerate(bands):
                made[..., k] = self._band(band, block, rows, cols)
        return made

    def _block(self, rows: Extent, cols: Extent) -> Block:
        """Read what there is of an area that may reach outside."""
        height, width, _ = self.shape
        rows, cols = rows.within(height), cols.within(width)
        factor = self.image.factors[self.level]
        edges = (rows.start, cols.start, rows.length, cols.length)
        # `read` rounds back to just these pixels: it is off by less than half of one.
        window = Window(*(round(edge * factor) for edge in edges))
        return Block(rows, cols, self.image.read(window, self.level))

    def _band(self, band: Band, block: Block, rows: Extent, cols: Extent) -> NDArray[np.float32]:
        if isinstance(band, Relief):
            height, width, _ = self.shape
            y = padded_indices(*rows.expanded(band.halo), height, band.padding) - block.rows.start
            x = padded_indices(*cols.expanded(band.halo), width, band.padding) - block.cols.start
            return band.compute(self._elevation(block.patch)[y[:, None], x], self.spacing)
        pixels = block.patch.pixels[..., band].astype(np.float32)
        known = np.where(block.patch.valid, pixels, np.float32(np.nan))
        return known[rows.slice_from(block.rows), cols.slice_from(block.cols)]

    def _elevation(self, patch: Patch) -> NDArray[np.float32]:
        """Elevation ``(rows, cols)``, NaN where the pixel or that band of it has no data."""
        band = patch.pixels[..., self.elevation : self.elevation + 1]
        known = patch.valid & has_data(band, self.image.nodata)
        return np.where(known, band[..., 0].astype(np.float32), np.float32(np.nan))
