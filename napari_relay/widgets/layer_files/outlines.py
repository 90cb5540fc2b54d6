"""Outlines of shapes as napari draws them, and as vector files keep them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.exporting.placement import Placement
from napari_relay.widgets.layer_drawing import OPEN_KINDS, outline

Points = NDArray[np.float64]


def geometry_of(corners: Points, kind: str) -> shapely.Geometry:
    """A shape of napari as a line or polygon of ``(x, y)`` in pixels from the image's corner.

    Parameters
    ----------
    corners
        ``(n, 2)`` level-0 ``(row, col)``, pixel centres at whole numbers.
    kind
        napari's kind of shape.
    """
    points = outline(np.asarray(corners, float)[:, -2:], kind)[:, ::-1] + 0.5
    if kind in OPEN_KINDS:
        return shapely.LineString(points)
    parts = shapely.get_parts(shapely.make_valid(shapely.Polygon(points)))
    solid = parts[np.isin(shapely.get_type_id(parts), (3, 6))]
    return shapely.unary_union(solid) if solid.size else shapely.Polygon()


def corners_of(part: shapely.Geometry) -> Points:
    """A line or polygon of ``(x, y)`` as corners that napari draws; inverse of the above.

    napari knows no holes: a ring goes along the outer line, over to each hole and
    back, and fills all but the holes.
    """
    if shapely.get_type_id(part) != shapely.GeometryType.POLYGON:
        return _rows_and_cols(shapely.get_coordinates(part))
    outer = shapely.get_coordinates(shapely.get_exterior_ring(part))
    rings = [outer]
    for number in range(shapely.get_num_interior_rings(part)):
        rings += [shapely.get_coordinates(shapely.get_interior_ring(part, number)), outer[:1]]
    corners = np.concatenate(rings)
    return _rows_and_cols(corners if len(rings) > 1 else corners[:-1])


def placed(shapes: Sequence[shapely.Geometry], placement: Placement) -> list[shapely.Geometry]:
    """Shapes in pixels brought to the coordinates of the image; unchanged without an affine."""
    if placement.affine is None:
        return list(shapes)
    a, b, c, d, e, f = placement.affine
    return _affine(shapes, np.array([[a, b], [d, e]]), np.array([c, f]))


def in_pixels(shapes: Sequence[shapely.Geometry], placement: Placement) -> list[shapely.Geometry]:
    """The inverse of :func:`placed`."""
    if placement.affine is None:
        return list(shapes)
    a, b, c, d, e, f = placement.affine
    inverse = np.linalg.inv(np.array([[a, b], [d, e]]))
    return _affine(shapes, inverse, -inverse @ np.array([c, f]))


def _affine(
    shapes: Sequence[shapely.Geometry], matrix: Points, offset: Points
) -> list[shapely.Geometry]:
    moved: list[shapely.Geometry] = shapely.transform(
        np.array(shapes, dtype=object), lambda points: points @ matrix.T + offset
    ).tolist()
    return moved


def _rows_and_cols(points: Points) -> Points:
    return np.asarray(points[:, ::-1] - 0.5)
