"""Where a slide shows nothing but glass."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid, Window
from napari_relay.images.pyramid import Patch, PyramidImage
from napari_relay.inference.selection import Block, TileMap
from napari_relay.inference.skipping import any_in, spans_around

PIXEL_UM = 8.0
"""Side of the pixels that are looked at, in µm: about a nucleus."""
MARGIN_UM = 64.0
"""A tile is glass only when there is no tissue this near to it either, in µm."""
FAINTEST = 0.05
"""Share of the glass's brightness that a pixel of tissue lacks in some band, at least."""

_DARKEST_GLASS = 190
_MOST_COLOURED_GLASS = 30
_STRIP = 64


def can_show_glass(image: PyramidImage) -> bool:
    """Whether it is a slide in transmitted light: 8-bit red, green and blue, pixels in µm."""
    colours = image.bands == ("red", "green", "blue")
    return colours and image.unit == "um" and image.dtype == np.uint8


def glass_tiles(image: PyramidImage, grid: TileGrid, among: TileMap) -> TileMap:
    """Those of ``among`` in and around which a coarse level shows nothing but empty glass.

    It errs to the side of tissue: one pixel of 8 µm that is 5 % darker than the
    glass in any band, in the tile or 64 µm around it, is enough to keep a tile.
    How bright glass is, is the 99th percentile of each band; where that is dark
    or coloured, there is no bare glass in the image and no tile is left out.
    What is said of a tile depends on the image and the grid alone; only what
    surrounds the tiles that are asked about is read.
    """
    glass = np.zeros(grid.shape, dtype=bool)
    white = _glass_colour(image) if can_show_glass(image) and among.any() else None
    if white is None:
        return glass
    for block in _blocks(among):
        glass[block.slices] = ~_tissue(image, grid, block, white)
    return glass & among


def _blocks(tiles: TileMap) -> Iterator[Block]:
    """Around the tiles that are set, in each strip of rows."""
    for start in range(0, tiles.shape[0], _STRIP):
        strip = tiles[start : start + _STRIP]
        rows, cols = (np.flatnonzero(strip.any(axis=axis)) for axis in (1, 0))
        if rows.size:
            first = start + int(rows[0]), int(cols[0])
            yield Block(*first, int(np.ptp(rows)) + 1, int(np.ptp(cols)) + 1)


def _glass_colour(image: PyramidImage) -> NDArray[np.float64] | None:
    """Brightness of empty glass in each band, or None where there is none in the image."""
    patch = image.read(image.window, len(image.levels) - 1)
    if not patch.valid.any():
        return None
    shown = patch.pixels[patch.valid].astype(np.float64)
    white: NDArray[np.float64] = np.percentile(shown, 99, axis=0)
    is_glass = white.min() >= _DARKEST_GLASS and np.ptp(white) <= _MOST_COLOURED_GLASS
    return white if is_glass else None


def _tissue(
    image: PyramidImage, grid: TileGrid, block: Block, white: NDArray[np.float64]
) -> TileMap:
    """Which tiles of a block show tissue, or have it near them."""
    assert image.pixel_size is not None
    margin = round(MARGIN_UM / min(image.pixel_size))
    wanted = max(PIXEL_UM / max(image.pixel_size), 1)
    level = image.level_for(wanted)
    pool = max(int(wanted / image.factors[level]), 1)
    factor = image.factors[level] * pool
    window = _on_grid(block.window(grid).expanded(margin), factor)
    dark = _dark(image.read(window, level), pool, white)
    spans = [
        spans_around(tiles, grid.stride, factor, margin, origin, size)
        for tiles, origin, size in zip(block.slices, window[:2], dark.shape, strict=True)
    ]
    return any_in(dark, *spans)


def _on_grid(window: Window, factor: float) -> Window:
    """The least window around this one of whole pixels of ``factor`` level-0 pixels."""
    y0, x0 = (math.floor(math.floor(start / factor) * factor) for start in window[:2])
    y1, x1 = (math.ceil(math.ceil(end / factor) * factor) for end in (window.y1, window.x1))
    return Window(y0, x0, y1 - y0, x1 - x0)


def _dark(patch: Patch, pool: int, white: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which means of ``pool`` × ``pool`` pixels are too dark, in any band, for glass."""
    missing = white - patch.pixels.astype(np.float64)
    missing[~patch.valid] = 0
    sides = tuple(range(0, side, pool) for side in patch.valid.shape)
    lacking = _sums(missing, *sides)
    count = _sums(patch.valid[..., None].astype(np.float64), *sides)
    dark = lacking > FAINTEST * white * np.maximum(count, 1)
    return np.asarray(dark.any(axis=2))


def _sums(values: NDArray[np.float64], rows: range, cols: range) -> NDArray[np.float64]:
    down: NDArray[np.float64] = np.add.reduceat(values, rows, axis=0)
    across: NDArray[np.float64] = np.add.reduceat(down, cols, axis=1)
    return across
