"""A raster's levels, seen on another grid."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.cached_level import CachedImage, CachedLevel
from napari_relay.images.chunk_cache import ChunkCache
from napari_relay.images.damage import Damage
from napari_relay.images.grid import (
    SLACK,
    Extent,
    Grid,
    pixel_side,
    project,
    require_rasterio,
    same_crs,
)
from napari_relay.images.pixel_array import CheckedArray, PixelArray
from napari_relay.images.pyramid import PyramidImage, has_data

CHUNK_SIDE = 256
"""Side of what is resampled and kept at once."""
MARGIN = 3
"""Pixels around a block that interpolation may look at."""
PLANE = 'LOCAL_CS["plane",UNIT["metre",1]]'
"""System of two grids that differ in nothing but their affines."""
ORIGIN = 0.123456789
"""Where the first pixel lies in :data:`PLANE`: GDAL takes rasters with pixels of 1 at
the origin for rasters without a place."""
WARPING = threading.Lock()
"""Held while rasterio resamples: it changes the process's warning filters for a moment."""


class Block(NamedTuple):
    """A part of a level."""

    pixels: NDArray[np.generic]
    """``(y, x, band)``."""
    readable: NDArray[np.bool_] | None
    """``(y, x)``; None for all, and where NaN says it."""


@dataclass(frozen=True, eq=False)
class Part:
    """What a raster gives to one level of a stack."""

    array: PixelArray
    """``(y, x, band)``, on the pixels of the stack."""
    offset: tuple[int, int]
    """Row and column of :attr:`array` in which the stack begins."""
    nodata: float | None
    """Value of a pixel without data."""

    @property
    def bands(self) -> int:
        """Number of bands."""
        return self.array.shape[2]

    def read(self, rows: slice, cols: slice, dtype: np.dtype[np.generic]) -> Block:
        """Pixels of two slices of the stack; NaN without data in a floating-point type."""
        down, across = (
            slice(part.start + first, part.stop + first)
            for part, first in zip((rows, cols), self.offset, strict=True)
        )
        return _read(self.array, down, across, self.nodata, dtype)


@dataclass(frozen=True, eq=False)
class WarpedLevel:
    """A level resampled to other pixels, ``(y, x, band)``; NaN without data.

    A finer level is averaged over the area of each target pixel, any other is
    interpolated bilinearly (GDAL's ``average`` and ``bilinear``).
    """

    array: PixelArray
    """The level's own pixels."""
    own: Grid
    """Where they lie."""
    nodata: float | None
    """Value of a pixel of :attr:`array` without data."""
    target: Grid
    """Where the result lies."""
    average: bool
    """Whether the level is finer than the target."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        return *self.target.shape, self.array.shape[2]

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """A floating-point type that holds the level's values."""
        return np.dtype(np.float32 if np.can_cast(self.array.dtype, np.float32) else np.float64)

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns that are resampled at once."""
        return CHUNK_SIDE, CHUNK_SIDE

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices with step 1."""
        wanted = Extent(key[0].start, key[1].start, key[0].stop, key[1].stop)
        target = self.target.cut(wanted)
        found = np.full((self.shape[2], *target.shape), np.nan, self.dtype)
        needed = project(wanted, self.target, self.own).grown(MARGIN)
        needed = needed.intersection(self.own.extent)
        if not needed.is_empty:
            rows, cols = (slice(int(needed[k]), int(needed[k + 2])) for k in (0, 1))
            block = _read(self.array, rows, cols, self.nodata, self.dtype)
            _warp(block.pixels, self.own.cut(needed), found, target, self.average)
        return np.ascontiguousarray(np.moveaxis(found, 0, 2)[..., key[2]])


class PlacedImage:
    """An image and where it lies.

    Parameters
    ----------
    image
        The image.
    grid
        Where its level 0 lies.
    max_bytes
        Memory for what is resampled.
    """

    def __init__(self, image: PyramidImage, grid: Grid, max_bytes: int) -> None:
        self.image, self.grid = image, grid
        self._cached = CachedImage(image.source, False, None, ChunkCache(max_bytes), Damage())

    def part(self, target: Grid, level: int, factor: float) -> Part:
        """What the image gives to one level of a grid.

        It is read from the coarsest of its own levels that is fine enough.

        Parameters
        ----------
        target
            The grid of the stack's level 0.
        level
            Index of the stack's level.
        factor
            Level-0 pixels of the stack a pixel of that level.

        Raises
        ------
        UserError
            When rasterio is needed and not installed.
        """
        wanted, side = target.coarser(factor), pixel_side(target, self.grid) * factor
        number = self.image.level_for(max(side, 1.0))
        array, step = self.image.arrays[number], self.image.factors[number]
        own = replace(self.grid.coarser(step), shape=array.shape[:2])
        offset = _offset(wanted, own)
        if offset is not None:
            return Part(array, offset, self.image.nodata)
        require_rasterio()
        is_finer = side > step * (1 + SLACK)
        warped = WarpedLevel(array, own, self.image.nodata, wanted, is_finer)
        return Part(CachedLevel(warped, level, factor, self._cached), (0, 0), None)


def _offset(target: Grid, grid: Grid) -> tuple[int, int] | None:
    """Row and column of ``grid`` in which the target begins, if they share their pixels."""
    if not same_crs(target.crs, grid.crs) or not target.is_parallel(grid):
        return None
    found = project(target.extent, target, grid)
    top, left, bottom, right = map(round, found)
    is_whole = max(abs(value - round(value)) for value in found) < SLACK
    fits = (bottom - top, right - left) == target.shape
    is_inside = min(top, left) >= 0 and bottom <= grid.shape[0] and right <= grid.shape[1]
    return (top, left) if is_whole and fits and is_inside else None


def _read(
    array: PixelArray, rows: slice, cols: slice, nodata: float | None, dtype: np.dtype[np.generic]
) -> Block:
    """Pixels of two slices in a type, with what has no data said in the best way it has."""
    readable = None
    if isinstance(array, CheckedArray):
        pixels, readable = array.read(rows, cols)
    else:
        pixels = array[rows, cols, slice(None)]
    if dtype.kind == "f":
        return Block(_with_nan(pixels, readable, nodata, dtype), None)
    if pixels.dtype.kind != "f":
        return Block(pixels.astype(dtype, copy=False), readable)
    return _rounded(pixels, readable, dtype)


def _with_nan(
    pixels: NDArray[np.generic],
    readable: NDArray[np.bool_] | None,
    nodata: float | None,
    dtype: np.dtype[np.generic],
) -> NDArray[np.generic]:
    """Pixels of which all bands are NaN where one has no data."""
    lost = ~has_data(pixels, nodata)
    if readable is not None:
        lost |= ~readable
    with np.errstate(over="ignore"):
        block = pixels.astype(dtype, copy=False)
    return np.where(lost[..., None], np.array(np.nan, dtype), block) if lost.any() else block


def _rounded(
    pixels: NDArray[np.generic], readable: NDArray[np.bool_] | None, dtype: np.dtype[np.generic]
) -> Block:
    """Interpolated pixels in a type of integers."""
    limits, known = np.iinfo(dtype.str), np.isfinite(pixels)
    whole = np.clip(np.rint(np.where(known, pixels, 0)), limits.min, limits.max).astype(dtype)
    if known.all():
        return Block(whole, readable)
    found = known.all(axis=2)
    return Block(whole, found if readable is None else found & readable)


def _warp(
    block: NDArray[np.generic], own: Grid, found: NDArray[np.generic], target: Grid, average: bool
) -> None:
    """Fill ``found (band, y, x)`` with what ``block (y, x, band)`` holds there."""
    from rasterio import Affine
    from rasterio.enums import Resampling
    from rasterio.warp import reproject

    matrices, systems = [own.matrix, target.matrix], [own.crs, target.crs]
    if same_crs(own.crs, target.crs):
        # In the target's own pixels no precision is lost to large coordinates.
        shift = np.array([[1, 0, ORIGIN], [0, 1, ORIGIN], [0, 0, 1]])
        matrices = [shift @ np.linalg.inv(target.matrix) @ own.matrix, shift]
        systems = [PLANE, PLANE]
    source, destination = (Affine(*matrix[:2].ravel().tolist()) for matrix in matrices)
    with WARPING:
        reproject(
            np.ascontiguousarray(np.moveaxis(block, 2, 0)),
            found,
            src_transform=source,
            src_crs=systems[0],
            src_nodata=np.nan,
            dst_transform=destination,
            dst_crs=systems[1],
            dst_nodata=np.nan,
            resampling=Resampling.average if average else Resampling.bilinear,
            # GDAL's default places pixels only to an eighth of one.
            tolerance=0,
        )
