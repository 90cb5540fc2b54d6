"""Where the pixels of a mask come from: GDAL, or the readers of images."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image
from napari_relay.images.gdal_level import DatasetPool
from napari_relay.images.grid import Grid, same_crs
from napari_relay.training.imported.mask import Codes, ImportedMask, MaskPixels, codes_of
from napari_relay.training.imported.mask_names import Colors, Names, names_and_colors
from relay_tokens import IGNORE_INDEX, ClassSchema, UserError

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

_TOLERANCE = 1e-3
"""Pixels of the mask by which a place may be off; GDAL takes no 0 here."""


@dataclass(frozen=True, eq=False)
class ImagePixels:
    """A mask in a format that GDAL does not read, or without GDAL."""

    mask: PyramidImage
    """One band of whole numbers, or red, green and blue."""
    names: Names = field(default_factory=dict)
    colors: Colors = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return self.mask.shape

    @property
    def is_colored(self) -> bool:
        """Whether codes are colours."""
        return len(self.mask.bands) == 3

    def own(self, window: Window) -> Codes:
        """Read a window."""
        return codes_of(*self.mask.read(window))

    seen = own


@dataclass(frozen=True, eq=False)
class GdalPixels:
    """A mask that GDAL reads; a colour table does not turn its values into colours."""

    pool: DatasetPool
    """Handles of the file."""
    shape: tuple[int, int]
    """Rows and columns."""
    bands: tuple[int, ...]
    """Numbers of the bands that are read, from 1."""
    names: Names
    colors: Colors
    image: Grid | None = None
    """The image's grid; None: the mask has its pixels."""

    @property
    def is_colored(self) -> bool:
        """Whether codes are colours."""
        return len(self.bands) == 3

    def own(self, window: Window) -> Codes:
        """Read a window of the file's pixels."""
        with self._reading() as dataset:
            return self._read(dataset, window)

    def seen(self, window: Window) -> Codes:
        """Read a window of the image's pixels."""
        if self.image is None:
            return self.own(window)
        with self._reading() as dataset, _seen_from(dataset, self.image) as seen:
            return self._read(seen, window)

    def _read(self, dataset: DatasetReader, window: Window) -> Codes:
        part = ((window.y0, window.y1), (window.x0, window.x1))
        pixels = np.moveaxis(dataset.read(self.bands, window=part), 0, 2)
        return codes_of(pixels, dataset.dataset_mask(window=part) > 0)

    @contextmanager
    def _reading(self) -> Iterator[DatasetReader]:
        """A handle; what GDAL finds damaged is said in a sentence."""
        from rasterio.errors import RasterioError

        try:
            with self.pool.handle() as dataset:
                yield dataset
        except (RasterioError, OSError) as error:
            raise UserError(f"{self.pool.path} is damaged; copy it or export it again.") from error


def open_mask(path: Path, image: PyramidImage, schema: ClassSchema) -> ImportedMask:
    """Lay a mask over an image, by its coordinates or pixel by pixel.

    Parameters
    ----------
    path
        A raster with one band of whole numbers, or in colours: of the image's
        rows and columns, or georeferenced as the image is, on any grid in any
        system.
    image
        What it is laid over.
    schema
        Classes that are suggested.

    Raises
    ------
    UserError
        When it is no mask, or neither fits nor says where it lies.
    """
    found = _gdal_pixels(path)
    if found is None:
        mask = open_image(path)
        _check_kind(path, len(mask.bands), str(mask.dtype))
        place = None if mask.affine is None else Grid(mask.shape, mask.affine, mask.crs)
        pixels: MaskPixels = ImagePixels(mask)
    else:
        pixels, place = found
    here = None if image.affine is None else Grid(image.shape, image.affine, image.crs)
    if pixels.shape == image.shape and (place is None or here is None or _same(place, here)):
        return ImportedMask(path, image, schema, pixels, None)
    if place is None or here is None or not isinstance(pixels, GdalPixels):
        rows, cols = pixels.shape
        raise UserError(
            f"{path} has {rows} × {cols} pixels, the image {image.shape[0]} × {image.shape[1]}, "
            "and they do not both say where they lie; give a mask of the same size, or a "
            "georeferenced one for a georeferenced image."
        )
    placed = GdalPixels(pixels.pool, pixels.shape, pixels.bands, pixels.names, pixels.colors, here)
    return ImportedMask(path, image, schema, placed, place)


def _gdal_pixels(path: Path) -> tuple[GdalPixels, Grid | None] | None:
    """The pixels as GDAL has them; None where it has none."""
    if path.is_dir() or importlib.util.find_spec("rasterio") is None:
        return None
    from rasterio.errors import RasterioError

    pool = DatasetPool(path, ())
    try:
        with pool.handle() as dataset:
            bands = _bands(path, dataset)
            names, colors = names_and_colors(dataset)
            place = _place(dataset)
            return GdalPixels(pool, (dataset.height, dataset.width), bands, names, colors), place
    except (RasterioError, OSError):
        return None


def _bands(path: Path, dataset: DatasetReader) -> tuple[int, ...]:
    """Numbers of the bands that say the class, without opacity."""
    from rasterio.enums import ColorInterp

    kinds = zip(dataset.indexes, dataset.colorinterp, strict=True)
    kept = tuple(k for k, kind in kinds if kind != ColorInterp.alpha) or dataset.indexes
    _check_kind(path, len(kept), str(dataset.dtypes[0]))
    return tuple(kept)


def _check_kind(path: Path, bands: int, dtype: str) -> None:
    is_gray = bands == 1 and np.issubdtype(np.dtype(dtype), np.integer)
    if not is_gray and (bands, dtype) != (3, "uint8"):
        raise UserError(
            f"{path} is not a mask: it has {bands} bands of {dtype}; give one band of whole "
            "numbers, one for each class, or a mask in colours."
        )


def _place(dataset: DatasetReader) -> Grid | None:
    if dataset.transform.is_identity:
        return None
    a, b, c, d, e, f = tuple(dataset.transform)[:6]
    crs = dataset.crs.to_string() if dataset.crs else None
    return Grid((dataset.height, dataset.width), (a, b, c, d, e, f), crs)


def _same(one: Grid, other: Grid) -> bool:
    """Whether two grids are one, to a hundredth of a pixel."""
    if one.crs is not None and other.crs is not None and not same_crs(one.crs, other.crs):
        return False
    turned = np.linalg.inv(one.matrix) @ other.matrix
    corners = np.array([[0, 0, 1], [*one.shape[::-1], 1]]).T
    return bool(np.abs(turned @ corners - corners).max() < 0.01)


def _seen_from(dataset: DatasetReader, grid: Grid) -> Any:
    """The raster on the image's grid; outside it there is no data."""
    from rasterio import Affine
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    options: dict[str, Any] = {}
    if dataset.nodata is not None:
        options = {"src_nodata": dataset.nodata, "nodata": dataset.nodata}
    elif dataset.count == 1:
        options = {"src_nodata": IGNORE_INDEX, "nodata": IGNORE_INDEX}
    elif dataset.count == 3:
        options = {"add_alpha": True}
    return WarpedVRT(
        dataset,
        crs=grid.crs or dataset.crs,
        transform=Affine(*grid.affine),
        height=grid.shape[0],
        width=grid.shape[1],
        resampling=Resampling.nearest,
        tolerance=_TOLERANCE,
        **options,
    )
