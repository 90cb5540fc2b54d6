"""A lazily read image at several resolutions."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window, reflect_indices
from napari_relay.images.band_statistics import BandStatistics, band_statistics
from napari_relay.images.damage import Damage
from napari_relay.images.level_build import LevelBuild
from napari_relay.images.pixel_array import CheckedArray, PixelArray


class Patch(NamedTuple):
    """Pixels read from a window, and which of them are real."""

    pixels: NDArray[np.generic]
    """``(rows, cols, band)`` in the image's own data type."""
    valid: NDArray[np.bool_]
    """``(rows, cols)``: inside the image, readable, finite, and not nodata in every band."""


@dataclass(frozen=True, eq=False)
class PyramidImage:
    """An image whose pixels are read when they are asked for.

    The levels are Dask arrays over files; only a PNG, JPEG or BMP of at most
    1024 pixels a side is kept in memory. Two images are equal only if they are
    the same object.
    """

    levels: tuple[da.Array, ...]
    """From full resolution to coarsest, each ``(y, x, band)``."""
    factors: tuple[float, ...]
    """Level-0 pixels a pixel of each level; 1.0 first, rising."""
    bands: tuple[str, ...]
    """Name of each band."""
    source: Path
    """The file or folder that was opened; the first of a stack."""
    stacked: tuple[Path, ...] = field(default=(), kw_only=True)
    """The further files of a stack, in the order of their bands."""
    pixel_size: tuple[float, float] | None = None
    """``(row, col)`` size of a level-0 pixel in :attr:`unit`; positive."""
    unit: str | None = None
    """``"um"``, ``"m"`` or ``"degree"``."""
    crs: str | None = None
    """Coordinate reference system, e.g. ``"EPSG:32648"``."""
    affine: tuple[float, float, float, float, float, float] | None = None
    """``x = a·col + b·row + c``, ``y = d·col + e·row + f`` of a pixel's
    upper-left corner in :attr:`crs` (GDAL's pixel-is-area; rasterio's order)."""
    nodata: float | None = None
    """Value of a pixel without data; NaN is always without data."""
    arrays: tuple[PixelArray, ...] = field(default=(), repr=False)
    """What the levels read from, one each, or nothing: :meth:`read` then spares
    Dask's bookkeeping, which costs more than the pixels of a small window."""
    notes: tuple[str, ...] = ()
    """Sentences a person should read: what is odd about the file."""
    damage: Damage = field(default_factory=Damage, repr=False)
    """What could not be read so far; it grows while the image is read."""
    build: LevelBuild | None = field(default=None, repr=False)
    """What builds the levels that are not there yet, or None if all are. Where
    a level is not built yet, its pixels are not valid."""
    synthetic: str | None = None
    """What the pixels are computed from, which tells the image from others; None
    for pixels that lie in a file."""

    def __post_init__(self) -> None:
        if len(self.levels) != len(self.factors) or self.factors[0] != 1:
            raise ValueError(f"factors {self.factors} do not fit {len(self.levels)} levels")
        if any(level.ndim != 3 or level.shape[2] != len(self.bands) for level in self.levels):
            raise ValueError(f"levels are not (y, x, {len(self.bands)} bands)")
        if any(0 in level.shape for level in self.levels):
            raise ValueError("a level has no pixels")
        if self.arrays and [a.shape for a in self.arrays] != [lv.shape for lv in self.levels]:
            raise ValueError("arrays do not fit the levels")

    @property
    def sources(self) -> tuple[Path, ...]:
        """All the files or folders whose bands these are, in order."""
        return self.source, *self.stacked

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of level 0."""
        height, width, _ = self.levels[0].shape
        return height, width

    @property
    def window(self) -> Window:
        """The whole image."""
        return Window(0, 0, *self.shape)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type of the pixels."""
        found: np.dtype[np.generic] = np.dtype(self.levels[0].dtype)
        return found

    @cached_property
    def statistics(self) -> BandStatistics:
        """Mean and spread of each band, from a coarse level; computed once, when asked for."""
        return band_statistics(self)

    def level_for(self, downsample: float) -> int:
        """Coarsest level that is no coarser than ``downsample`` (>= 1).

        A millesimal of slack lets a slide's 4.0003 serve a factor of 4.
        """
        fitting = [k for k, factor in enumerate(self.factors) if factor <= downsample * 1.001]
        return max(fitting, default=0)

    def read(self, window: Window, level: int = 0) -> Patch:
        """Read a window at one level; outside the image it is padded by reflection.

        May be called from several threads at once.

        Parameters
        ----------
        window
            Level-0 pixels; any part may lie outside.
        level
            Index into :attr:`levels`. At a level with factor ``f`` the result
            has ``round(height / f)`` rows (at least 1, or none for a height of
            0) from row ``round(y0 / f)``, and columns likewise.

        Returns
        -------
        Patch
            ``pixels`` ``(rows, cols, band)`` and ``valid`` ``(rows, cols)``. What
            the file cannot give because it is damaged there is not valid, and
            counted in :attr:`damage`.

        Raises
        ------
        UserError
            When the file vanished or nothing of it can be decoded.
        """
        factor, (height, width, bands) = self.factors[level], self.levels[level].shape
        rows, inside_rows = _span(window.y0, window.height, factor, height)
        cols, inside_cols = _span(window.x0, window.width, factor, width)
        inside = inside_rows[:, None] & inside_cols[None, :]
        if not inside.size:
            return Patch(np.empty((rows.size, cols.size, bands), self.dtype), inside)
        top, left = int(rows.min()), int(cols.min())
        block, readable = self._block(
            level, slice(top, int(rows.max()) + 1), slice(left, cols.max() + 1)
        )
        folded = None if inside.all() else np.ix_(rows - top, cols - left)
        pixels = block if folded is None else block[folded]
        valid = inside & has_data(pixels, self.nodata)
        if readable is not None:
            valid &= readable if folded is None else readable[folded]
        return Patch(pixels, valid)

    @cached_property
    def _checked(self) -> tuple[CheckedArray | None, ...]:
        """The arrays that tell what they could read; asked once, since asking is slow."""
        return tuple(a if isinstance(a, CheckedArray) else None for a in self.arrays)

    def _block(
        self, level: int, rows: slice, cols: slice
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Pixels of two slices that lie inside the level; which are readable, None for all."""
        if self.arrays:
            checked = self._checked[level]
            if checked is not None:
                return checked.read(rows, cols)
            return self.arrays[level][rows, cols, slice(None)], None
        # The caller is itself a worker thread: a second pool would only compete with it.
        lazy = self.levels[level][rows, cols]
        return np.asarray(lazy.compute(scheduler="synchronous")), None


def has_data(pixels: NDArray[np.generic], nodata: float | None) -> NDArray[np.bool_]:
    """Which pixels are finite in every band and not ``nodata`` in every band.

    Parameters
    ----------
    pixels
        ``(rows, cols, band)``.
    nodata
        Value of a pixel without data, or None.

    Returns
    -------
    NDArray[np.bool_]
        ``(rows, cols)``.
    """
    valid = np.ones(pixels.shape[:2], dtype=bool)
    if np.issubdtype(pixels.dtype, np.inexact):
        valid &= np.isfinite(pixels).all(axis=2)
    if nodata is not None:
        # A whole number is compared in the integers' own type: faster, and exact in 64 bits.
        whole = pixels.dtype.kind in "ui" and float(nodata).is_integer()
        valid &= (pixels != (int(nodata) if whole else nodata)).any(axis=2)
    return valid


def _span(
    start: int, length: int, factor: float, size: int
) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Indices along one axis of a level, folded into it, and which needed no folding."""
    first = round(start / factor)
    count = max(round(length / factor), 1) if length > 0 else 0
    wanted = np.arange(first, first + count)
    inside = (wanted >= 0) & (wanted < size)
    return reflect_indices(first, first + count, size), inside
