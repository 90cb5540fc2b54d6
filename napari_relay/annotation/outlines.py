"""Outlines and strokes that are painted with one value."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from napari_relay.annotation.painting import Patch
from napari_relay.geometry import Window

MAX_COORDINATE = 1 << 24
"""Pillow draws with 32-bit floats: larger coordinates would lose pixels."""

_EXACT = 64
"""Up to this radius a stroke has the very pixels of the brush's discs."""
_QUARTER = 64
"""Sides of a quarter of a larger brush's outline."""


def polygon_mask(corners: NDArray[np.intp], window: Window) -> NDArray[np.bool_]:
    """Pixels of a window in or on a polygon, as napari's polygon tool has them.

    Parameters
    ----------
    corners
        ``(vertex, 2)`` whole level-0 ``(row, col)``.
    window
        Level-0 pixels.

    Returns
    -------
    NDArray[np.bool_]
        ``(height, width)``; the same pixels whatever the window.
    """
    picture = Image.new("L", (window.width, window.height), 0)
    points = [(int(x) - window.x0, int(y) - window.y0) for y, x in corners]
    ImageDraw.Draw(picture).polygon(points, outline=1, fill=1)
    return np.asarray(picture).astype(bool)


class PolygonPainting:
    """The inside of a polygon, its outline included.

    Parameters
    ----------
    corners
        ``(vertex, 2)`` level-0 ``(row, col)``; cut to whole pixels.
    label
        What it is painted with.
    """

    def __init__(self, corners: Sequence[Sequence[float]] | NDArray[np.float64], label: int):
        self.corners = np.clip(np.array(corners, dtype=int), -MAX_COORDINATE, MAX_COORDINATE)
        self.label = label

    @property
    def window(self) -> Window:
        """The smallest window around it."""
        y0, x0 = (int(n) for n in self.corners.min(axis=0))
        y1, x1 = (int(n) + 1 for n in self.corners.max(axis=0))
        return Window(y0, x0, y1 - y0, x1 - x0)

    @cached_property
    def _shape(self) -> shapely.Geometry | None:
        """To tell quickly what lies inside or outside; None where it crosses itself."""
        shape = shapely.Polygon(self.corners)
        if not shape.is_valid:
            return None
        shapely.prepare(shape)
        return shape

    def covers(self, window: Window) -> bool | None:
        """Whether all of a window is inside, nothing of it, or a part (None)."""
        box = shapely.box(window.y0 - 1, window.x0 - 1, window.y1, window.x1)
        if self._shape is None:
            return None
        if self._shape.contains(box):
            return True
        return None if self._shape.intersects(box) else False

    def patch(self, window: Window) -> Patch | None:
        """What to paint in a window."""
        covered = self.covers(window)
        if covered is None:
            return Patch(polygon_mask(self.corners, window), self.label)
        return Patch(None, self.label) if covered else None


class StrokePainting:
    """What a round brush passes over.

    Parameters
    ----------
    path
        ``(point, 2)`` level-0 ``(row, col)`` of the brush's middle; one or more.
    size
        Its diameter, level-0 pixels: it reaches ``size // 2 + 0.5``, as napari's.
    label
        What it paints.
    """

    def __init__(
        self, path: Sequence[Sequence[float]] | NDArray[np.float64], size: float, label: int
    ):
        self.path = np.round(np.array(path, dtype=float)).reshape(-1, 2)
        self.radius = size // 2 + 0.5
        self.label = label

    @property
    def window(self) -> Window:
        """The smallest window around it."""
        reach = int(self.radius)
        y0, x0 = (int(n) - reach for n in self.path.min(axis=0))
        y1, x1 = (int(n) + reach + 1 for n in self.path.max(axis=0))
        return Window(y0, x0, y1 - y0, x1 - x0)

    @cached_property
    def _segments(self) -> NDArray[np.object_]:
        """The pieces of the path."""
        starts, ends = (self.path[:-1], self.path[1:]) if len(self.path) > 1 else (self.path,) * 2
        return np.asarray(shapely.linestrings(np.stack([starts, ends], axis=1)))

    @cached_property
    def _area(self) -> shapely.Geometry:
        """All of it, to a fraction of a pixel."""
        line = shapely.multilinestrings(self._segments)
        # what is drawn reaches half a pixel beyond its outline
        area = shapely.buffer(line, self.radius - 0.5, quad_segs=_QUARTER).simplify(0.25)
        shapely.prepare(area)
        return area

    def patch(self, window: Window) -> Patch | None:
        """What to paint in a window."""
        return self._exact(window) if self.radius <= _EXACT else self._drawn(window)

    def _drawn(self, window: Window) -> Patch | None:
        box = shapely.box(window.y0, window.x0, window.y1 - 1, window.x1 - 1)
        if not self._area.intersects(box):
            return None
        if self._area.contains(box):
            return Patch(None, self.label)
        picture = Image.new("L", (window.width, window.height), 0)
        draw = ImageDraw.Draw(picture)
        for part in shapely.get_parts(self._area):
            for fill, ring in ((1, part.exterior), *((0, hole) for hole in part.interiors)):
                points = shapely.get_coordinates(ring)[:, ::-1] - (window.x0, window.y0)
                draw.polygon([tuple(point) for point in points.round().tolist()], fill=fill)
        return Patch(np.asarray(picture).astype(bool), self.label)

    def _exact(self, window: Window) -> Patch | None:
        corners = (window.y0, window.x0, window.y1 - 1, window.x1 - 1)
        near = shapely.distance(self._segments, shapely.box(*corners)) <= self.radius
        if not near.any():
            return None
        points = shapely.points([(y, x) for y in corners[::2] for x in corners[1::2]])
        # What a brush covers along a straight piece is convex.
        farthest = shapely.distance(self._segments[near][:, None], points).max(axis=1)
        if (farthest <= self.radius).any():
            return Patch(None, self.label)
        return Patch(self.mask(window), self.label)

    def mask(self, window: Window, factor: float = 1) -> NDArray[np.bool_]:
        """``(height, width)``: pixels of a window within reach of the path.

        With a ``factor`` the window counts pixels of a level, corner-aligned.
        """
        middle = (factor - 1) / 2
        rows = np.arange(window.y0, window.y1)[:, None] * factor + middle
        cols = np.arange(window.x0, window.x1)[None, :] * factor + middle
        mask = np.zeros((window.height, window.width), np.bool_)
        starts, ends = (self.path[:-1], self.path[1:]) if len(self.path) > 1 else (self.path,) * 2
        for start, end in zip(starts, ends, strict=True):
            _add_segment(mask, rows, cols, start, end, self.radius)
        return mask


def _add_segment(
    mask: NDArray[np.bool_],
    rows: NDArray[np.floating],
    cols: NDArray[np.floating],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    radius: float,
) -> None:
    """Add the pixels within ``radius`` of a segment, looking only around it."""
    (low_y, low_x), (high_y, high_x) = np.minimum(start, end), np.maximum(start, end)
    inner = (
        slice(*np.searchsorted(rows[:, 0], (low_y - radius, high_y + radius + 1e-9))),
        slice(*np.searchsorted(cols[0], (low_x - radius, high_x + radius + 1e-9))),
    )
    y, x = rows[inner[0]] - start[0], cols[:, inner[1]] - start[1]
    dy, dx = end - start
    length = max(dy * dy + dx * dx, 1e-12)
    along = np.clip((y * dy + x * dx) / length, 0, 1)
    mask[inner] |= (y - along * dy) ** 2 + (x - along * dx) ** 2 <= radius**2
