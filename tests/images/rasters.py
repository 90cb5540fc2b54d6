"""Small rasters that lie somewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio

from napari_relay.images import PyramidImage

UTM = "EPSG:32648"


def write(
    path: Path,
    pixels: np.ndarray,
    *,
    size: float = 1.0,
    left: float = 400_000.0,
    top: float = 1_500_000.0,
    crs: str | None = UTM,
    affine: tuple[float, ...] | None = None,
    nodata: float | None = None,
    names: tuple[str, ...] = (),
) -> Path:
    """A GeoTIFF of ``pixels (y, x, band)`` whose upper-left corner is at (left, top)."""
    rows, cols, bands = pixels.shape
    place = rasterio.Affine(*(affine or (size, 0, left, 0, -size, top)))
    about = {"driver": "GTiff", "dtype": pixels.dtype, "crs": crs, "transform": place}
    about |= {"tiled": True, "blockxsize": 64, "blockysize": 64, "nodata": nodata}
    if bands == 3:
        about["photometric"] = "RGB"
    with rasterio.open(path, "w", width=cols, height=rows, count=bands, **about) as file:
        file.write(np.moveaxis(pixels, 2, 0))
        for number, name in enumerate(names, 1):
            file.set_band_description(number, name)
    return path


def centres(image: PyramidImage, level: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """World ``x`` and ``y`` of all pixel centres of a level."""
    rows, cols = (np.arange(n) for n in image.levels[level].shape[:2])
    col, row = np.meshgrid((cols + 0.5), (rows + 0.5))
    a, b, c, d, e, f = image.affine
    factor = image.factors[level]
    return a * factor * col + b * factor * row + c, d * factor * col + e * factor * row + f


def ramp(rows: int, cols: int, down: float = 3.0, across: float = 5.0) -> np.ndarray:
    """``(rows, cols, 1)``: ``down`` a row and ``across`` a column, at pixel centres."""
    row, col = np.indices((rows, cols)) + 0.5
    return (down * row + across * col)[..., None].astype(np.float32)


def photo(rng: np.random.Generator, rows: int = 90, cols: int = 110) -> np.ndarray:
    return rng.integers(0, 256, (rows, cols, 3), dtype=np.uint8)
