"""Corrections from a raster of values, on the image's grid or brought to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_relay.annotation.painting import Patch
from napari_relay.annotation.values import allowed_values
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image
from relay_tokens import IGNORE_INDEX, ClassSchema, UserError

if TYPE_CHECKING:
    from rasterio.io import DatasetReader


@dataclass
class MaskFilePainting:
    """The values of a mask that has the image's own pixels."""

    mask: PyramidImage
    """One band of whole numbers."""
    schema: ClassSchema
    """What they mean: see ``correction_values``."""

    @property
    def window(self) -> Window:
        """The whole image."""
        return self.mask.window

    def patch(self, window: Window) -> Patch | None:
        """Read the values of a window; a value that means nothing is refused."""
        read = self.mask.read(window)
        return _patch(self.mask.source, read.pixels[..., 0], read.valid, self.schema)


@dataclass
class WarpedMaskPainting:
    """The values of a georeferenced mask, seen from the image's grid: the nearest pixel of it."""

    path: Path
    """The mask."""
    image: PyramidImage
    """The image; it says where it lies."""
    schema: ClassSchema
    """What the values mean."""

    @property
    def window(self) -> Window:
        """What of the image the mask meets."""
        from rasterio.transform import rowcol

        with _opened(self.path) as raster, _seen_from(raster, self.image) as seen:
            left, bottom, right, top = _bounds(raster, self.image)
            rows, cols = rowcol(seen.transform, [left, left, right, right], [top, bottom] * 2)
        y0, x0 = int(min(rows)) - 1, int(min(cols)) - 1
        met = Window(y0, x0, int(max(rows)) + 2 - y0, int(max(cols)) + 2 - x0)
        return met.intersection(self.image.window)

    def patch(self, window: Window) -> Patch | None:
        """Read the values of a window; a value that means nothing is refused."""
        from rasterio.windows import Window as RasterWindow

        part = RasterWindow(window.x0, window.y0, window.width, window.height)
        with _opened(self.path) as raster, _seen_from(raster, self.image) as seen:
            values = seen.read(1, window=part)
            valid = seen.dataset_mask(window=part) > 0
        return _patch(self.path, values, valid, self.schema)


def mask_painting(
    path: Path, image: PyramidImage, schema: ClassSchema
) -> MaskFilePainting | WarpedMaskPainting:
    """Corrections from a mask file.

    Its values are those of ``correction_values``: class ids, 255 for nothing,
    254 for "ignore", 128 + class id for "not this class".

    Parameters
    ----------
    path
        A raster with one band of whole numbers: of the image's rows and
        columns, or georeferenced as the image is, on any grid in any system.
    image
        What is corrected.
    schema
        Its classes.

    Raises
    ------
    UserError
        When it is no mask, or neither fits nor says where it lies.
    """
    mask = open_image(path)
    if len(mask.bands) != 1 or not np.issubdtype(mask.dtype, np.integer):
        raise UserError(
            f"{path} is not a mask: it has {len(mask.bands)} bands of {mask.dtype}; give one band "
            "of whole numbers, one for each class."
        )
    places = (mask.affine, image.affine)
    has_place = None not in places
    if mask.shape == image.shape and not (has_place and _is_elsewhere(mask, image)):
        return MaskFilePainting(mask, schema)
    if has_place:
        return WarpedMaskPainting(path, image, schema)
    raise UserError(
        f"{path} has {mask.shape[0]} × {mask.shape[1]} pixels, the image {image.shape[0]} × "
        f"{image.shape[1]}, and they do not both say where they lie; give a mask of the same "
        "size, or a georeferenced one for a georeferenced image."
    )


def _is_elsewhere(mask: PyramidImage, image: PyramidImage) -> bool:
    from napari_relay.images.grid import same_crs

    assert mask.affine is not None
    assert image.affine is not None
    return not (np.allclose(mask.affine, image.affine) and same_crs(mask.crs, image.crs))


def _patch(
    path: Path, values: NDArray[np.generic], valid: NDArray[np.bool_], schema: ClassSchema
) -> Patch | None:
    numbers = np.where(valid, np.asarray(values, np.int64), IGNORE_INDEX)
    known = (numbers >= 0) & (numbers <= IGNORE_INDEX)
    known &= allowed_values(schema)[np.clip(numbers, 0, IGNORE_INDEX)]
    if not known.all():
        names = ", ".join(f"{i} {name}" for i, name in enumerate(schema.names))
        raise UserError(
            f"{path} has the value {numbers[~known].flat[0]}, which means nothing here; give "
            f"class numbers ({names}), 128 + a class number for 'not' it, 254 for 'ignore' and "
            "255 for nothing."
        )
    labels = numbers.astype(np.uint8)
    mask = labels != IGNORE_INDEX
    return Patch(mask, labels) if mask.any() else None


def _opened(path: Path) -> DatasetReader:
    import rasterio

    return rasterio.open(path)


def _seen_from(raster: DatasetReader, image: PyramidImage) -> DatasetReader:
    """The raster on the image's grid; outside it everything is no data."""
    from rasterio import Affine
    from rasterio.enums import Resampling
    from rasterio.vrt import WarpedVRT

    assert image.affine is not None
    nodata = raster.nodata if raster.nodata is not None else IGNORE_INDEX
    return WarpedVRT(
        raster,
        crs=image.crs or raster.crs,
        transform=Affine(*image.affine),
        height=image.shape[0],
        width=image.shape[1],
        resampling=Resampling.nearest,
        src_nodata=nodata,
        nodata=nodata,
    )


def _bounds(raster: DatasetReader, image: PyramidImage) -> tuple[float, float, float, float]:
    """Of the raster, in the image's system: left, bottom, right, top."""
    from rasterio.warp import transform_bounds

    if image.crs is None or raster.crs is None:
        return tuple(raster.bounds)
    return tuple(transform_bounds(raster.crs, image.crs, *raster.bounds))
