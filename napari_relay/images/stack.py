"""Several co-registered rasters as one image."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.chunk_cache import CACHE_BYTES
from napari_relay.images.damage import Damage, DamagedChunk
from napari_relay.images.grid import Affine, Extent, Grid, common_grid, project, same_crs
from napari_relay.images.levels_plan import COARSEST_SIDE
from napari_relay.images.opening import open_image
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.source import DASK_CHUNK_SIDE, ImageSource, Placement
from napari_relay.images.warping import Part, PlacedImage
from relay_tokens import UserError

PIXELS: Affine = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
"""Affine of a raster that does not say where it lies."""


@dataclass(frozen=True, eq=False)
class StackLevel:
    """One level of a stack, ``(y, x, band)``; safe to index from several threads."""

    parts: tuple[Part, ...]
    """What each raster gives, in order."""
    size: tuple[int, int]
    """Rows and columns."""
    dtype: np.dtype[np.generic]
    """Data type of the pixels."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        return *self.size, sum(part.bands for part in self.parts)

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices with step 1."""
        return self.read(key[0], key[1])[0][..., key[2]]

    def read(
        self, rows: slice, cols: slice
    ) -> tuple[NDArray[np.generic], NDArray[np.bool_] | None]:
        """Pixels ``(y, x, band)`` of two slices, and ``(y, x)`` which could be read or None."""
        rows, cols = (
            slice(*part.indices(length))
            for part, length in zip((rows, cols), self.size, strict=True)
        )
        blocks = [part.read(rows, cols, self.dtype) for part in self.parts]
        masks = [block.readable for block in blocks if block.readable is not None]
        readable = np.logical_and.reduce(masks) if masks else None
        return np.concatenate([block.pixels for block in blocks], axis=2), readable


class StackDamage(Damage):
    """What could not be read of the rasters of a stack, as it is met."""

    def __init__(self, images: Sequence[PyramidImage], grids: Sequence[Grid], target: Grid) -> None:
        super().__init__()
        self._rasters = [(image.damage, grid) for image, grid in zip(images, grids, strict=True)]
        self._target = target

    @property
    def count(self) -> int:
        """How many chunks were found damaged so far."""
        return sum(damage.count for damage, _ in self._rasters)

    @property
    def chunks(self) -> tuple[DamagedChunk, ...]:
        """All of them, raster by raster, in pixels of the stack."""
        return tuple(
            replace(chunk, window=_window(chunk.window, grid, self._target))
            for damage, grid in self._rasters
            for chunk in damage.chunks
        )


def open_stack(
    paths: Sequence[str | Path], *, progress: Callable[[int, int], None] | None = None
) -> PyramidImage:
    """Open rasters of the same place as one image with the bands of all.

    The image lies on one grid: the coordinate system of the first raster, the
    pixels of the raster with the smallest ones, and the area in which all of
    them are. It is north-up unless all rasters are turned alike. A raster on
    this grid is taken as it is; a finer one is averaged, any other interpolated
    bilinearly, from whichever of its levels suits. Rasters of one shape of which
    at most one grid is known are stacked pixel on pixel.

    Where a raster has no data, its bands are NaN, and so the pixel has no data:
    the pixels are float32. They keep their type where all rasters have the same
    one, cover the whole grid and have no nodata value.

    Parameters
    ----------
    paths
        What :func:`~napari_relay.images.opening.open_image` opens. One path
        gives just that image.
    progress
        As in ``open_image``, for each raster that lacks levels.

    Returns
    -------
    PyramidImage
        Bands in the order of the paths; a name that occurs twice is preceded by
        the stem of its file. :attr:`PyramidImage.sources` has all the files.

    Raises
    ------
    UserError
        When a file cannot be opened, does not say where it lies, or lies
        elsewhere, or when rasterio is needed and not installed.
    """
    if not paths:
        raise ValueError("no rasters to stack")
    images = [open_image(path, progress=progress) for path in paths]
    return images[0] if len(images) == 1 else _stacked(images)


def _stacked(images: Sequence[PyramidImage]) -> PyramidImage:
    grids = _grids(images)
    target = common_grid(grids)
    if target is None:
        raise _apart(images, grids)
    factors, dtype = _factors(images[0], grids[0], target), _dtype(images, grids, target)
    placed = [
        PlacedImage(image, grid, CACHE_BYTES // len(images))
        for image, grid in zip(images, grids, strict=True)
    ]
    levels = tuple(_level(placed, target, k, dtype, f) for k, f in enumerate(factors))
    source = ImageSource(
        path=images[0].source,
        arrays=levels,
        chunks=tuple((_chunk(lv.size[0]), _chunk(lv.size[1])) for lv in levels),
        factors=factors,
        bands=_bands(images),
        placement=_placement(images, grids, target),
        notes=tuple(dict.fromkeys(note for image in images for note in image.notes)),
    )
    return replace(
        source.image(),
        stacked=tuple(path for image in images[1:] for path in image.sources),
        damage=StackDamage(images, grids, target),
    )


def _grids(images: Sequence[PyramidImage]) -> list[Grid]:
    """Where each raster lies; pixel on pixel where that is all that is known."""
    known = {(image.affine, image.crs) for image in images if image.affine is not None}
    if len({image.shape for image in images}) == 1 and len(known) <= 1:
        affine, crs = next(iter(known), (PIXELS, None))
        return [Grid(image.shape, affine or PIXELS, crs) for image in images]
    _check_placed(images)
    return [Grid(image.shape, image.affine or PIXELS, image.crs) for image in images]


def _check_placed(images: Sequence[PyramidImage]) -> None:
    """Refuse rasters of which it is not known how they lie to each other."""
    named = next((image for image in images if image.crs is not None), None)
    for image in images:
        if image.affine is None:
            rows, cols = image.shape
            raise UserError(
                f"{image.source} ({rows} × {cols} pixels) does not say where it lies, and the "
                "rasters are not all on one grid of that size; give it a georeference, "
                "or export them all on the same grid."
            )
        if image.crs is None and named is not None:
            raise UserError(
                f"{image.source} names no coordinate reference system that is known, while "
                f"{named.source} is in {named.crs}; assign one, e.g. with gdal_edit -a_srs."
            )


def _apart(images: Sequence[PyramidImage], grids: Sequence[Grid]) -> UserError:
    """What to say of rasters without a common place."""
    names = [str(image.source) for image in images]
    for name, grid in zip(names[1:], grids[1:], strict=True):
        if common_grid([grids[0], grid]) is None:
            names = [names[0], name]
            break
    return UserError(
        f"{' and '.join(names)} do not overlap; give rasters of the same place, "
        "and check their coordinate reference systems."
    )


def _factors(first: PyramidImage, own: Grid, target: Grid) -> tuple[float, ...]:
    """Those of the first raster when it is the grid, else powers of two."""
    if own == target:
        return first.factors
    steps = max(math.ceil(math.log2(max(target.shape) / COARSEST_SIDE)), 0)
    return tuple(2.0**k for k in range(steps + 1))


def _dtype(
    images: Sequence[PyramidImage], grids: Sequence[Grid], target: Grid
) -> np.dtype[np.generic]:
    """The rasters' own type if it has room for all there is to say, else float32."""
    dtype = images[0].dtype
    is_simple = all(
        image.dtype == dtype
        and image.nodata is None
        and same_crs(grid.crs, target.crs)
        and grid.is_parallel(target)
        for image, grid in zip(images, grids, strict=True)
    )
    return dtype if is_simple else np.dtype(np.float32)


def _level(
    placed: Sequence[PlacedImage],
    target: Grid,
    number: int,
    dtype: np.dtype[np.generic],
    factor: float,
) -> StackLevel:
    parts = tuple(image.part(target, number, factor) for image in placed)
    return StackLevel(parts, target.coarser(factor).shape, dtype)


def _chunk(size: int) -> int:
    return min(size, DASK_CHUNK_SIDE)


def _bands(images: Sequence[PyramidImage]) -> tuple[str, ...]:
    """Names of all bands; a name that occurs twice tells its file."""
    count = Counter(band for image in images for band in image.bands)
    return tuple(
        band if count[band] == 1 else f"{image.source.stem} {band}"
        for image in images
        for band in image.bands
    )


def _placement(images: Sequence[PyramidImage], grids: Sequence[Grid], target: Grid) -> Placement:
    """Pixel size and position of the grid."""
    sized = next((k for k, image in enumerate(images) if image.pixel_size is not None), 0)
    is_placed = any(image.affine is not None for image in images)
    return Placement(
        _pixel_size(images[sized], grids[sized], target),
        images[sized].unit,
        target.crs,
        target.affine if is_placed else None,
    )


def _pixel_size(image: PyramidImage, own: Grid, target: Grid) -> tuple[float, float] | None:
    """``(row, col)`` size of the grid's pixels, in the unit of an image in its system."""
    if image.pixel_size is None or not same_crs(own.crs, target.crs):
        return None
    old, new = (np.hypot(*grid.matrix[:2, :2]) for grid in (own, target))
    rows, cols = image.pixel_size
    return float(rows * new[1] / old[1]), float(cols * new[0] / old[0])


def _window(window: Window, own: Grid, target: Grid) -> Window:
    """The least window of a grid around a window of a raster."""
    extent = Extent(window.y0, window.x0, window.y1, window.x1)
    found = project(extent, own, target).grown(0)
    top, left, bottom, right = map(int, found)
    return Window(top, left, bottom - top, right - left)
