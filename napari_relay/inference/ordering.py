"""In which order tiles are predicted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import TileGrid, Window


def order_tiles(
    grid: TileGrid,
    tiles: NDArray[np.intp],
    priority: Window | None = None,
    band_width: int = 16,
) -> NDArray[np.intp]:
    """Sort tiles: the priority window first, then outwards.

    Outside the window the tiles form shells of doubling width around it
    (chebyshev distance), so that near ones come first and the shells stay
    few. Within a shell the tiles run row by row in bands of ``band_width``
    columns: only about three rows of a band have to be kept for blending.

    Parameters
    ----------
    grid
        The grid the tiles belong to.
    tiles
        ``(n, 2)`` tile rows and columns.
    priority
        Level-0 pixels; None or a window beside the image: no preference.
    band_width
        In tiles.

    Returns
    -------
    NDArray[np.intp]
        ``tiles``, sorted; the order depends on nothing but the arguments.
    """
    shell = _shells(grid, tiles, priority)
    rows, cols = tiles[:, 0], tiles[:, 1]
    return tiles[np.lexsort((cols, rows, cols // band_width, shell))]


def _shells(grid: TileGrid, tiles: NDArray[np.intp], priority: Window | None) -> NDArray[np.intp]:
    """0 inside the priority window, then one more each time the distance doubles."""
    inside = None if priority is None else grid.slices_of(priority)
    if inside is None or inside[0].stop == 0:
        return np.zeros(len(tiles), dtype=np.intp)
    first = np.array([part.start for part in inside])
    last = np.array([part.stop for part in inside]) - 1
    distance = np.maximum(np.maximum(first - tiles, tiles - last), 0).max(axis=1)
    reach = max(int((last - first).max()) + 1, 4)
    shell = np.ceil(np.log2(1 + distance / reach)).astype(np.intp)
    return np.where(distance > 0, np.maximum(shell, 1), 0)
