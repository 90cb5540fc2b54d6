"""Write the synthetic sample terrain: ``python scripts/sample_terrain.py OUTPUT.tif``.

Elevation in metres at 1 m a pixel, the same at every run: smooth hills (noise
whose amplitude falls with the 2.4th power of the frequency), a terraced slope, a
rectangular moat with a mound inside, and loose mounds and hollows.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import tifffile
from numpy.typing import NDArray

from napari_relay.exporting.geotiff import affine_tags, crs_tags

SIDE = 768
SEED = 7
STEP = 1 / 64
"""Heights are whole multiples of this, in metres, so that the file stays small."""

AFFINE = (1.0, 0.0, 380_000.0, 0.0, -1.0, 1_480_000.0)
"""Upper-left corner and pixel size in metres of EPSG:32648 (rasterio's order)."""

Heights = NDArray[np.float64]


def hills(rng: np.random.Generator) -> Heights:
    """Noise with a power spectrum like eroded hills', about 60 m from low to high."""
    frequency = np.hypot(np.fft.fftfreq(SIDE)[:, None], np.fft.rfftfreq(SIDE)[None, :])
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.normal(size=(SIDE, SIDE))) / frequency**2.4
    surface = np.fft.irfft2(spectrum, s=(SIDE, SIDE))
    return (surface - surface.min()) / np.ptp(surface) * 60


def terraced(heights: Heights, rise: float = 2.0) -> Heights:
    """Turn a slope into fields with banks between them."""
    level = np.floor(heights / rise)
    within = heights / rise - level
    return rise * (level + 0.15 * within + 0.85 / (1 + np.exp(-(within - 0.85) * 60)))


def mound(row: float, col: float, radius: float, height: float) -> Heights:
    """A round mound, or a hollow where ``height`` is negative."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    return height * np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / (2 * radius**2))


def moat(row: int, col: int, half: int, width: float, depth: float) -> Heights:
    """A square ditch around a place."""
    rows, cols = np.mgrid[:SIDE, :SIDE]
    distance = np.maximum(abs(rows - row), abs(cols - col)) - half
    return -depth * np.exp(-(distance**2) / (2 * width**2))


def terrain() -> NDArray[np.float32]:
    """The whole surface, ``(SIDE, SIDE)`` in metres above the sea."""
    rng = np.random.default_rng(SEED)
    heights = hills(rng)
    blend = np.clip((np.arange(SIDE)[None, :] - SIDE * 0.62) / 40, 0, 1)
    heights = (1 - blend) * heights + blend * terraced(heights)
    heights += moat(250, 250, 90, 6, 2.5) + mound(250, 250, 22, 4)
    for _ in range(24):
        row, col = rng.uniform(0, SIDE, 2)
        heights += mound(row, col, rng.uniform(5, 14), rng.choice([-1.5, 1.5, 3]))
    heights += rng.normal(0, 0.02, heights.shape) + 120
    return (np.round(heights / STEP) * STEP).astype(np.float32)


def main(path: Path) -> None:
    """Write the terrain as a tiled GeoTIFF."""
    tifffile.imwrite(
        path,
        terrain(),
        tile=(256, 256),
        compression="deflate",
        predictor=True,
        extratags=[*affine_tags(AFFINE), *crs_tags("EPSG:32648", is_geographic=False)],
        metadata=None,
        software="scripts/sample_terrain.py",
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
