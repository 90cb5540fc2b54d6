"""The pixel grid of a raster, and the one that several rasters have in common."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relay_tokens import UserError

Affine = tuple[float, float, float, float, float, float]
Matrix = NDArray[np.float64]

SLACK = 0.01
"""Pixels by which two grids may be apart and still count as the same."""
NEARLY_SMALLEST = 1.02
"""Pixels larger than the smallest by this are as good: scale varies across a system."""
EDGE_POINTS = 21
"""Points on each side of a rectangle that is brought into another system."""


class Extent(NamedTuple):
    """A rectangle in a grid's pixels, edges at whole numbers; not always whole."""

    top: float
    """Upper edge."""
    left: float
    """Left edge."""
    bottom: float
    """Lower edge."""
    right: float
    """Right edge."""

    def intersection(self, other: Extent) -> Extent:
        """What lies in both; :attr:`is_empty` where they do not meet."""
        return Extent(*map(max, self[:2], other[:2]), *map(min, self[2:], other[2:]))

    def grown(self, margin: float) -> Extent:
        """With more on each side, out to whole pixels."""
        start, end = self[:2], self[2:]
        return Extent(
            *(math.floor(v - margin) for v in start), *(math.ceil(v + margin) for v in end)
        )

    def whole(self) -> Extent:
        """Pixels that lie inside entirely."""
        start, end = self[:2], self[2:]
        return Extent(*(math.ceil(v - SLACK) for v in start), *(math.floor(v + SLACK) for v in end))

    @property
    def is_empty(self) -> bool:
        """Whether there is no area."""
        return self.bottom <= self.top or self.right <= self.left


@dataclass(frozen=True)
class Grid:
    """Where the pixels of a raster lie."""

    shape: tuple[int, int]
    """Rows and columns."""
    affine: Affine
    """Pixel corner to :attr:`crs`, as in :class:`~napari_relay.images.pyramid.PyramidImage`."""
    crs: str | None = None
    """Coordinate reference system; None: a plane that all such rasters share."""

    @property
    def matrix(self) -> Matrix:
        """``(3, 3)``: ``(col, row, 1)`` of a pixel corner to ``(x, y, 1)``."""
        return np.array([*self.affine, 0, 0, 1]).reshape(3, 3)

    @property
    def pixel_area(self) -> float:
        """Area of a pixel, in the square of the unit of :attr:`crs`."""
        return abs(float(np.linalg.det(self.matrix[:2, :2])))

    @property
    def extent(self) -> Extent:
        """All of it, in its own pixels."""
        return Extent(0, 0, *self.shape)

    @property
    def is_north_up(self) -> bool:
        """Whether rows run from north to south and columns from west to east."""
        a, b, _, d, e, _ = self.affine
        return a > 0 > e and b == d == 0

    def is_parallel(self, other: Grid) -> bool:
        """Whether rows and columns run in the same directions."""
        turned = np.linalg.inv(self.matrix[:2, :2]) @ other.matrix[:2, :2]
        return bool(_is_diagonal(turned) and np.diag(turned).min() > 0)

    def cut(self, extent: Extent) -> Grid:
        """The part in an extent of whole pixels."""
        a, b, c, d, e, f = self.affine
        top, left = extent.top, extent.left
        moved = a, b, c + left * a + top * b, d, e, f + left * d + top * e
        shape = int(extent.bottom - top), int(extent.right - left)
        return Grid(shape, moved, self.crs)

    def coarser(self, factor: float) -> Grid:
        """The grid of a level, of the pixels that lie inside entirely."""
        a, b, c, d, e, f = self.affine
        rows, cols = (max(int(size / factor + 1e-9), 1) for size in self.shape)
        return Grid((rows, cols), (a * factor, b * factor, c, d * factor, e * factor, f), self.crs)


def _is_diagonal(linear: Matrix) -> bool:
    """Whether a ``(2, 2)`` matrix only scales."""
    return bool(abs(linear[[0, 1], [1, 0]]).max() < 1e-9 * abs(np.diag(linear)).max())


def same_crs(one: str | None, other: str | None) -> bool:
    """Whether two names mean the same coordinate reference system."""
    if one == other or one is None or other is None:
        return one == other
    require_rasterio()
    from rasterio.crs import CRS

    return bool(CRS.from_user_input(one) == CRS.from_user_input(other))


def require_rasterio() -> None:
    """Refuse to go on without the library that resamples rasters.

    Raises
    ------
    UserError
        When rasterio is not installed.
    """
    if importlib.util.find_spec("rasterio") is None:
        raise UserError(
            "Rasters on different grids are brought together by rasterio, which is not "
            'installed; run: pip install "napari-relay[geo]".'
        )


def project(extent: Extent, grid: Grid, onto: Grid) -> Extent:
    """Bounds, in the pixels of ``onto``, of an extent in the pixels of ``grid``.

    Empty when no point of its outline exists in the other system.
    """
    cols, rows = _moved(_outline(extent), grid, onto)
    known = np.isfinite(cols) & np.isfinite(rows)
    if not known.any():
        return Extent(0, 0, 0, 0)
    cols, rows = cols[known], rows[known]
    return Extent(*map(float, (rows.min(), cols.min(), rows.max(), cols.max())))


def _outline(extent: Extent) -> Matrix:
    """Points ``(col and row, point)`` on the four sides."""
    share = np.linspace(0, 1, EDGE_POINTS)
    low, high = np.zeros_like(share), np.ones_like(share)
    across = np.concatenate([share, share, low, high])
    down = np.concatenate([low, high, share, share])
    height, width = extent.bottom - extent.top, extent.right - extent.left
    return np.stack([extent.left + width * across, extent.top + height * down])


def _moved(points: Matrix, grid: Grid, onto: Grid) -> Matrix:
    """Points ``(col and row, point)`` in another grid's pixels; infinite where there are none."""
    x, y, _ = grid.matrix @ np.stack([*points, np.ones(points.shape[1])])
    if not same_crs(grid.crs, onto.crs):
        from rasterio.warp import transform

        x, y = map(np.asarray, transform(grid.crs, onto.crs, x, y))
    moved: Matrix = np.linalg.inv(onto.matrix) @ np.stack([x, y, np.ones_like(x)])
    return moved[:2]


def pixel_side(grid: Grid, onto: Grid) -> float:
    """Side of a pixel from the middle of ``grid``, in pixels of ``onto``.

    The root of its area, where its sides differ; not finite where ``onto``
    does not reach.
    """
    rows, cols = (size / 2 for size in grid.shape)
    points = np.array([[cols, cols + 1, cols], [rows, rows, rows + 1]])
    corner, right, below = _moved(points, grid, onto).T
    return math.sqrt(abs(float(np.linalg.det(np.stack([right - corner, below - corner])))))


def common_grid(grids: Sequence[Grid]) -> Grid | None:
    """The finest pixels, in the system of the first raster, where all rasters are.

    The result lies on the pixels of the raster with the smallest ones (the
    first of such rasters), unless that is in another system, or turned in
    another direction than the rest: then it is north-up with square pixels of
    the same area.

    Parameters
    ----------
    grids
        Of the rasters.

    Returns
    -------
    Grid or None
        None when there is no place where all of them are.
    """
    crs = grids[0].crs
    seen = [grid if same_crs(grid.crs, crs) else _north_up(grid, crs) for grid in grids]
    known = [grid for grid in seen if grid is not None]
    smallest = min(grid.pixel_area for grid in known)
    finest = next(grid for grid in known if grid.pixel_area <= NEARLY_SMALLEST * smallest)
    if not finest.is_north_up and not all(map(finest.is_parallel, known)):
        finest = _north_up(finest, crs) or finest
    shared = finest.extent
    for grid in grids:
        shared = shared.intersection(project(grid.extent, grid, finest))
    whole = shared.whole()
    return None if whole.is_empty else finest.cut(whole)


def _north_up(grid: Grid, crs: str | None) -> Grid | None:
    """A north-up grid in a system around a raster; None where the system does not reach."""
    plane = Grid((1, 1), (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), crs)
    bounds, side = project(grid.extent, grid, plane), pixel_side(grid, plane)
    if bounds.is_empty or not 0 < side < math.inf:
        return None
    shape = (
        max(round((bounds.bottom - bounds.top) / side), 1),
        max(round((bounds.right - bounds.left) / side), 1),
    )
    return Grid(shape, (side, 0.0, bounds.left, 0.0, -side, -bounds.top), crs)
