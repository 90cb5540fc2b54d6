"""Which objects of a prediction are exported, and how."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from relay_tokens import ClassSchema, UserError

Dialect = Literal["gis", "qupath"]
"""For whom GeoJSON is written; see :attr:`ObjectOptions.dialect`."""
ObjectType = Literal["annotation", "detection"]
"""What an object is in QuPath."""

BACKGROUND = "background"
"""Name, in any case, of the class that is left out unless it is asked for."""


@dataclass(frozen=True)
class ObjectOptions:
    """Which objects are wanted, and how their outlines are written."""

    classes: tuple[str, ...] | None = None
    """Names of the wanted classes, in any case; None: all but :data:`BACKGROUND`."""
    include_background: bool = False
    """Whether :data:`BACKGROUND` is wanted too, where :attr:`classes` is None."""
    minimum_area: float = 0.0
    """Smallest area of an object, in m², µm² or, without a pixel size, px."""
    minimum_confidence: float = 0.0
    """Least mean confidence of an object, 0 ... 1."""
    within: shapely.Geometry | None = None
    """Polygons in level-0 pixel corners ``(x, y)``: kept is an object half of whose
    pixels or more have their middle inside; it is not cut. See
    :func:`~napari_relay.exporting.vectors.within.geometry_in_pixels`."""
    simplify: float = 0.0
    """Tolerance of the outlines in m, µm or px: corners go whose triangle with their
    neighbours is smaller than its square. 0: every pixel corner stays."""
    dialect: Dialect | None = None
    """How GeoJSON is written: for GIS (RFC 7946) or for QuPath. None: for QuPath where
    the name ends in ``.qupath.geojson`` or the image is in µm without a CRS."""
    object_type: ObjectType = "annotation"
    """What the objects are in QuPath."""

    def __post_init__(self) -> None:
        for name in ("minimum_area", "simplify"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise UserError(f"{name} is {value:g}; choose 0 or more.")
        if not 0 <= self.minimum_confidence <= 1:
            raise UserError(
                f"minimum_confidence is {self.minimum_confidence:g}; choose a number from 0 to 1."
            )

    def label_flags(self, schema: ClassSchema) -> NDArray[np.bool_]:
        """Which label values are wanted, ``(256,)``.

        Raises
        ------
        UserError
            When a name is no class, or no class is left.
        """
        names = [name.lower() for name in schema.names]
        if self.classes is None:
            kept = [k for k, n in enumerate(names) if self.include_background or n != BACKGROUND]
        else:
            kept = [_label(name, names, schema) for name in self.classes]
        if not kept:
            raise UserError(f"No class is left to export of {', '.join(schema.names)}; name one.")
        flags = np.zeros(256, bool)
        flags[kept] = True
        return flags


def _label(name: str, names: list[str], schema: ClassSchema) -> int:
    if name.lower() not in names:
        raise UserError(f"{name} is no class of the model; choose from {', '.join(schema.names)}.")
    return names.index(name.lower())
