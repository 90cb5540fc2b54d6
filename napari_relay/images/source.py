"""What a reader finds in a file, before missing levels are added."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import dask.array as da
import numpy as np
from numpy.typing import NDArray

from napari_relay.images.cached_level import CachedImage, cached_levels
from napari_relay.images.chunk_cache import CACHE_BYTES, LARGEST_SHARE, ChunkCache
from napari_relay.images.damage import Damage
from napari_relay.images.level_build import LevelBuild
from napari_relay.images.pixel_array import PixelArray
from napari_relay.images.pyramid import PyramidImage
from relay_tokens import UserError

LAZY_CHUNK_BYTES = CACHE_BYTES // LARGEST_SHARE
"""A file whose chunks are larger cannot be read window by window: no cache would help."""
DASK_CHUNK_BYTES = 16 * 2**20
"""Size up to which small chunks of a file are joined to one Dask chunk."""
DASK_CHUNK_SIDE = 512
"""Side up to which small chunks of a file are joined to one Dask chunk."""


@dataclass(frozen=True)
class Placement:
    """How large a pixel is and where the image lies in the world."""

    pixel_size: tuple[float, float] | None = None
    """``(row, col)`` size of a level-0 pixel in :attr:`unit`."""
    unit: str | None = None
    """``"um"``, ``"m"`` or ``"degree"``."""
    crs: str | None = None
    """Coordinate reference system, e.g. ``"EPSG:32648"``."""
    affine: tuple[float, float, float, float, float, float] | None = None
    """As in :class:`~napari_relay.images.pyramid.PyramidImage`."""


@dataclass(frozen=True, eq=False)
class ImageSource:
    """The levels a file has, and what it says about them."""

    path: Path
    """The file or folder."""
    arrays: tuple[PixelArray, ...]
    """From full resolution to coarsest, each ``(y, x, band)``."""
    chunks: tuple[tuple[int, int], ...]
    """Rows and columns that each level reads at once."""
    factors: tuple[float, ...]
    """Level-0 pixels a pixel of each level."""
    bands: tuple[str, ...]
    """Name of each band."""
    placement: Placement = Placement()
    """Pixel size and position."""
    nodata: float | None = None
    """Value of a pixel without data."""
    lazy: bool = True
    """Whether windows of level 0 can be read without reading all of it."""
    notes: tuple[str, ...] = ()
    """Sentences a person should read: what is odd about the file."""
    damage: Damage = field(default_factory=Damage)
    """What is known to be damaged."""
    build: LevelBuild | None = None
    """What builds the levels that are not there yet, or None if all are."""
    synthetic: str | None = None
    """As in :class:`~napari_relay.images.pyramid.PyramidImage`."""

    def image(self) -> PyramidImage:
        """The image with these levels, read through a cache of decoded chunks."""
        place, arrays = self.placement, self._cached()
        return PyramidImage(
            levels=tuple(map(lazy_array, arrays, self.chunks)),
            factors=self.factors,
            bands=self.bands,
            source=self.path,
            pixel_size=place.pixel_size,
            unit=place.unit,
            crs=place.crs,
            affine=place.affine,
            nodata=self.nodata,
            arrays=arrays,
            notes=self.notes,
            damage=self.damage,
            build=self.build,
            synthetic=self.synthetic,
        )

    def _cached(self) -> tuple[PixelArray, ...]:
        """The levels behind one cache; those in memory as they are."""
        shared = CachedImage(self.path, self.path.is_dir(), self.nodata, ChunkCache(), self.damage)
        return cached_levels(self.arrays, self.factors, shared, self.synthetic is not None)


def lazy_array(array: PixelArray, chunks: tuple[int, int]) -> da.Array:
    """A level as a Dask array ``(y, x, band)``, all bands in one chunk."""
    made: da.Array = da.from_array(
        array,
        chunks=(*chunks, array.shape[2]),
        name=False,
        lock=False,
        meta=np.empty((0, 0, 0), array.dtype),
    )
    return made


def joined_chunks(
    shape: tuple[int, int, int], native: tuple[int, int], itemsize: int
) -> tuple[int, int]:
    """Rows and columns of a Dask chunk: whole chunks of the file, about 512 a side."""
    rows, cols = (
        min(side * max(DASK_CHUNK_SIDE // side, 1), size)
        for side, size in zip(native, shape, strict=False)
    )
    fitting = max(DASK_CHUNK_BYTES // (cols * shape[2] * itemsize), 1)
    return min(rows, max(fitting // native[0], 1) * native[0]), cols


def level_factor(full: tuple[int, ...], level: tuple[int, ...]) -> float:
    """Downsample factor of a level from the two shapes ``(y, x, ...)``.

    A whole number wherever rounding the size up or down explains the shape, as
    scanners cut what does not fill a pixel; otherwise the mean of both ratios.
    """
    ratios = [full[axis] / level[axis] for axis in (0, 1)]
    whole = max(round(ratios[0]), round(ratios[1]))
    if all(
        level[axis] in (math.floor(full[axis] / whole), math.ceil(full[axis] / whole))
        for axis in (0, 1)
    ):
        return float(whole)
    return sum(ratios) / 2


def native_dtype(dtype: np.dtype[np.generic], path: Path) -> np.dtype[np.generic]:
    """Data type in which pixels are handed on: native byte order, no booleans.

    Raises
    ------
    UserError
        When the pixels are not real numbers.
    """
    if dtype.kind == "b":
        return np.dtype(np.uint8)
    if dtype.kind not in "uif" or dtype.itemsize > 8:
        raise UserError(f"{path} has pixels of type {dtype}; convert them to integers or floats.")
    return dtype.newbyteorder("=")


def native_pixels(pixels: NDArray[np.generic], dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Pixels in the data type of :func:`native_dtype`; True becomes 255."""
    if pixels.dtype.kind == "b":
        return np.where(pixels, 255, 0).astype(dtype)
    return pixels.astype(dtype, copy=False)


def fitting_nodata(value: float | None, dtype: np.dtype[np.generic]) -> float | None:
    """A nodata value, or None where no pixel of this type can have it."""
    if value is None or math.isnan(value):
        return None
    if dtype.kind == "f":
        # Lowest values are often written with a digit too few, and then lie beyond the type.
        largest = float(np.finfo(dtype.str).max)
        clamped = max(-largest, min(value, largest))
        return clamped if abs(value - clamped) <= 1e-6 * largest else None
    limits = np.iinfo(dtype.str)
    return value if limits.min <= value <= limits.max and value == int(value) else None


def default_bands(count: int, rgb: bool = False) -> tuple[str, ...]:
    """Names of bands that the file does not name."""
    colours = ("red", "green", "blue") if rgb else ()
    if count == 1:
        return ("intensity",)
    return (*colours, *(f"band {k + 1}" for k in range(len(colours), count)))
