"""Outlines of a vector file, mended so that they can be drawn."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

SOLID = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)
"""Kinds of geometry that have an area."""
MISSING = "no geometry"
EMPTY = "an empty geometry"
NO_AREA = "a point or a line, which has no inside"
NOT_FINITE = "coordinates that are no numbers"
COLLAPSED = "an outline without an area"

Shapes = NDArray[np.object_]
"""``(n,)`` geometries; None where there is none."""


class Outlines(NamedTuple):
    """What can be drawn of some geometries."""

    shapes: Shapes
    """Valid polygons, of one or several parts; None for what has no area."""
    repaired: NDArray[np.bool_]
    """``(n,)``: which of them were mended."""
    reasons: NDArray[np.object_]
    """``(n,)``: what is wrong with those that cannot be drawn; empty for the others."""


def mended(shapes: Shapes) -> Outlines:
    """Make every polygon valid, e.g. a bow tie two triangles.

    Parameters
    ----------
    shapes
        Any geometries; they are not changed.
    """
    reasons = np.full(len(shapes), "", dtype=object)
    reasons[~np.isin(shapely.get_type_id(shapes), (*SOLID, _COLLECTION))] = NO_AREA
    reasons[~_is_finite(shapes)] = NOT_FINITE
    reasons[shapely.is_empty(shapes)] = EMPTY
    reasons[shapely.is_missing(shapes)] = MISSING
    kept = shapes.copy()
    kept[reasons != ""] = None
    repaired = (reasons == "") & ~shapely.is_valid(kept)
    collections = shapely.get_type_id(kept) == _COLLECTION
    for place in np.flatnonzero(repaired | collections):
        kept[place] = _solid(shapely.make_valid(kept[place], method="structure"))
    reasons[(reasons == "") & (shapely.is_missing(kept) | (shapely.area(kept) == 0))] = COLLAPSED
    kept[reasons != ""] = None
    return Outlines(kept, repaired & (reasons == ""), reasons)


_COLLECTION = shapely.GeometryType.GEOMETRYCOLLECTION


def _is_finite(shapes: Shapes) -> NDArray[np.bool_]:
    bounds = shapely.bounds(shapes)
    unbounded = shapely.is_missing(shapes) | shapely.is_empty(shapes)
    found: NDArray[np.bool_] = np.isfinite(bounds).all(axis=1) | unbounded
    return found


def _solid(shape: shapely.Geometry) -> shapely.Geometry | None:
    """The parts that have an area, as one."""
    parts = shapely.get_parts(shapely.get_parts(shape))
    solid = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return shapely.union_all(solid) if len(solid) else None
