"""Small terrains, as images over arrays in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.images import PyramidImage
from napari_relay.images.raster import DecodedPixels
from napari_relay.images.source import lazy_array


def terrain(*levels: NDArray[np.generic], **about: object) -> PyramidImage:
    """An image over elevation ``(y, x)`` or bands ``(y, x, band)``, each level half the last."""
    arrays = tuple(DecodedPixels(a if a.ndim == 3 else a[..., None]) for a in levels)
    facts: dict[str, object] = {"bands": ("elevation",), "nodata": -9999.0} | about
    return PyramidImage(
        levels=tuple(lazy_array(array, (64, 48)) for array in arrays),
        factors=tuple(2.0**k for k in range(len(levels))),
        source=Path("dem.tif"),
        arrays=arrays,
        **facts,  # type: ignore[arg-type]
    )


def hills(rows: int, cols: int, seed: int = 0) -> NDArray[np.float32]:
    """Rough ground, 300 m above the sea, with differences of a few metres."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:rows, :cols]
    ground = 300 + 4 * np.sin(y / 9.0) + 3 * np.cos(x / 7.0) + rng.normal(0, 0.3, (rows, cols))
    return ground.astype(np.float32)


def with_holes(ground: NDArray[np.float32], seed: int = 0) -> NDArray[np.float32]:
    """A copy with pixels and a block that have no data: -9999, and one NaN."""
    holed = ground.copy()
    holed[np.random.default_rng(seed).random(ground.shape) < 0.05] = -9999
    holed[ground.shape[0] // 3 : ground.shape[0] // 2, ground.shape[1] // 2 :] = -9999
    holed[0, 0] = np.nan
    return holed
