"""Windows and tile grids in level-0 pixels.

Coordinates are ``(row, col)`` with pixel centres at integers, as in napari:
pixel ``(0, 0)`` covers ``[-0.5, 0.5)``. A :class:`Window` counts whole pixels,
so ``Window(0, 0, 2, 2)`` is the four pixels around ``(0.5, 0.5)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray


class Window(NamedTuple):
    """A rectangle of whole level-0 pixels; it may reach beyond the image."""

    y0: int
    """First row."""
    x0: int
    """First column."""
    height: int
    """Number of rows."""
    width: int
    """Number of columns."""

    @property
    def y1(self) -> int:
        """Row after the last one."""
        return self.y0 + self.height

    @property
    def x1(self) -> int:
        """Column after the last one."""
        return self.x0 + self.width

    @property
    def area(self) -> int:
        """Number of pixels; 0 for an empty window."""
        return max(self.height, 0) * max(self.width, 0)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Index of the window in a level-0 array ``(y, x, ...)``."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    @property
    def center(self) -> tuple[float, float]:
        """``(row, col)`` of the middle, in napari's frame."""
        return self.y0 + (self.height - 1) / 2, self.x0 + (self.width - 1) / 2

    def intersection(self, other: Window) -> Window:
        """Pixels in both windows; height or width is 0 where they do not meet."""
        y0, x0 = max(self.y0, other.y0), max(self.x0, other.x0)
        height = max(min(self.y1, other.y1) - y0, 0)
        width = max(min(self.x1, other.x1) - x0, 0)
        return Window(y0, x0, height, width)

    def intersects(self, other: Window) -> bool:
        """Whether the two windows share a pixel."""
        return self.intersection(other).area > 0

    def expanded(self, margin: int) -> Window:
        """The window with ``margin`` more pixels on each side."""
        return Window(
            self.y0 - margin, self.x0 - margin, self.height + 2 * margin, self.width + 2 * margin
        )

    def around(self, factor: int) -> Window:
        """The window ``factor`` times wider with the same middle: a global window.

        Exact only when ``(factor - 1) * height`` and ``(factor - 1) * width``
        are even; otherwise the middle moves by half a pixel towards the origin.
        """
        dy, dx = (factor - 1) * self.height // 2, (factor - 1) * self.width // 2
        return Window(self.y0 - dy, self.x0 - dx, self.height * factor, self.width * factor)


def union(*windows: Window) -> Window:
    """The smallest window around all."""
    y0, x0 = min(w.y0 for w in windows), min(w.x0 for w in windows)
    y1, x1 = max(w.y1 for w in windows), max(w.x1 for w in windows)
    return Window(y0, x0, y1 - y0, x1 - x0)


def level_translate(factor: float) -> float:
    """Level-0 coordinate of the first pixel centre of a level.

    A level with downsample factor ``f`` has ``scale=f`` and
    ``translate=(f - 1) / 2``, since its first pixel covers level-0 pixels
    ``0 ... f - 1``. The same holds for a grid of ``f``-pixel patches.
    """
    return (factor - 1) / 2


def reflect_indices(start: int, stop: int, length: int) -> NDArray[np.intp]:
    """Indices ``start ... stop - 1`` folded into ``0 ... length - 1`` by reflection.

    The edge pixel is not repeated (numpy's ``reflect``); any distance outside
    is folded as often as it takes.
    """
    if length < 1:
        raise ValueError(f"cannot reflect into {length} pixels")
    period = max(2 * (length - 1), 1)
    folded = np.arange(start, stop) % period
    return np.minimum(folded, period - folded) if length > 1 else np.zeros_like(folded)


@dataclass(frozen=True)
class TileGrid:
    """A grid of tiles that covers an image, each with a halo around it.

    Tile ``(i, j)`` is responsible for ``stride`` × ``stride`` pixels from
    ``(i, j) * stride``; the crop that the model sees reaches ``halo`` pixels
    further on each side, so its side is ``stride + 2 * halo``.
    """

    height: int
    """Rows of the image."""
    width: int
    """Columns of the image."""
    stride: int
    """Side of a tile's own area and distance between tiles, in pixels."""
    halo: int
    """Pixels by which a crop reaches beyond its tile on each side."""

    def __post_init__(self) -> None:
        if min(self.height, self.width, self.stride) < 1 or not 0 <= 2 * self.halo <= self.stride:
            raise ValueError(f"not a tile grid: {self}")

    @property
    def crop_size(self) -> int:
        """Side of the crop around a tile, in pixels."""
        return self.stride + 2 * self.halo

    @property
    def shape(self) -> tuple[int, int]:
        """Number of tile rows and tile columns."""
        return math.ceil(self.height / self.stride), math.ceil(self.width / self.stride)

    def tile(self, row: int, col: int) -> Window:
        """Pixels that tile ``(row, col)`` answers for, cut at the image's edge."""
        whole = Window(row * self.stride, col * self.stride, self.stride, self.stride)
        return whole.intersection(Window(0, 0, self.height, self.width))

    def crop(self, row: int, col: int) -> Window:
        """Window the model sees for tile ``(row, col)``; may reach outside."""
        return Window(
            row * self.stride - self.halo,
            col * self.stride - self.halo,
            self.crop_size,
            self.crop_size,
        )

    def neighbours(self, row: int, col: int) -> Iterator[tuple[int, int]]:
        """Tiles whose crops overlap tile ``(row, col)``, itself included, in order."""
        rows, cols = self.shape
        for i in range(max(row - 1, 0), min(row + 2, rows)):
            for j in range(max(col - 1, 0), min(col + 2, cols)):
                yield i, j

    def slices_of(self, window: Window) -> tuple[slice, slice]:
        """Rows and columns of the tiles that share a pixel with ``window``."""
        inside = window.intersection(Window(0, 0, self.height, self.width))
        if not inside.area:
            return slice(0, 0), slice(0, 0)
        return (
            slice(inside.y0 // self.stride, (inside.y1 - 1) // self.stride + 1),
            slice(inside.x0 // self.stride, (inside.x1 - 1) // self.stride + 1),
        )

    def tiles_in(self, window: Window) -> list[tuple[int, int]]:
        """Tiles that share a pixel with ``window``, in row-major order."""
        rows, cols = self.slices_of(window)
        return [(i, j) for i in range(rows.start, rows.stop) for j in range(cols.start, cols.stop)]

    def tiles_in_polygon(self, vertices: NDArray[np.floating]) -> list[tuple[int, int]]:
        """Tiles that share an area with a polygon, in row-major order.

        Parameters
        ----------
        vertices
            ``(n, 2)`` level-0 ``(row, col)``, pixel centres at integers; the last
            one need not repeat the first. Where the outline crosses itself, all
            that it encloses counts.

        Raises
        ------
        ValueError
            When there are fewer than three vertices, or not two numbers in each.
        """
        if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
            raise ValueError(f"not a polygon: an array of shape {vertices.shape}")
        polygon = shapely.make_valid(shapely.Polygon(vertices[:, ::-1] + 0.5))
        if not polygon.area:
            return []
        left, top, right, bottom = (int(edge) for edge in np.clip(polygon.bounds, -1, 2**62))
        rows, cols = self.slices_of(Window(top, left, bottom - top + 1, right - left + 1))
        shapely.prepare(polygon)
        return [
            (i, cols.start + int(j))
            for i in range(rows.start, rows.stop)
            for j in np.flatnonzero(self._row_meets(polygon, i, np.arange(cols.start, cols.stop)))
        ]

    def _row_meets(
        self, polygon: shapely.Geometry, row: int, cols: NDArray[np.intp]
    ) -> NDArray[np.bool_]:
        """Which tiles of a row share an area with a polygon in ``(x, y)`` pixel edges."""
        left, top = cols * self.stride, row * self.stride
        right = np.minimum(left + self.stride, self.width)
        boxes = shapely.box(left, top, right, min(top + self.stride, self.height))
        met: NDArray[np.bool_] = shapely.intersects(polygon, boxes)
        met[met] = ~shapely.touches(polygon, boxes[met])
        return met
