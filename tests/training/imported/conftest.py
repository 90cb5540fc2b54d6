"""Images of nothing that lie somewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyogrio
import rasterio
import shapely
from rasterio.transform import Affine

from napari_relay.images import PyramidImage, open_image


def write_raster(
    path: Path, values: np.ndarray, place: Affine | None, crs: str | None = None
) -> Path:
    """A GeoTIFF of one band, or of several ``(band, y, x)``."""
    bands = values if values.ndim == 3 else values[None]
    profile = {"count": len(bands), "height": bands.shape[1], "width": bands.shape[2]}
    where = {} if place is None else {"transform": place, "crs": crs}
    with rasterio.open(
        path, "w", driver="GTiff", dtype=bands.dtype.name, **profile, **where
    ) as raster:
        raster.write(bands)
    return path


def image_at(path: Path, shape: tuple[int, int], place: Affine, crs: str) -> PyramidImage:
    return open_image(write_raster(path, np.ones(shape, np.uint8), place, crs))


def write_polygons(
    path: Path, shapes: Sequence[shapely.Geometry | None], words: Sequence[object], crs: str
) -> Path:
    """Polygons with a column ``class`` in whatever format the suffix says."""
    pyogrio.raw.write(
        path,
        shapely.to_wkb(np.array(shapes, dtype=object)),
        [np.array(words, dtype=object)],
        ["class"],
        geometry_type="Unknown" if path.suffix == ".gpkg" else "Polygon",
        crs=crs,
    )
    return path
