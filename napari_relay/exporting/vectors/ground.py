"""How long and how large pixels are on the ground."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.vectors.predicted_object import LengthUnit
from napari_relay.images.pyramid import PyramidImage

Numbers = NDArray[np.float64]

_RADIUS = 6_378_137.0
"""Metres: half of the long axis of WGS 84."""
_SQUARED_ECCENTRICITY = 0.00669437999014
"""Of WGS 84."""


@dataclass(frozen=True)
class Ground:
    """Sizes of pixels, all over an image.

    In an image in degrees, a step is measured on the WGS 84 ellipsoid by the radii of
    curvature at its latitude: north-south ``a(1 - e²) / (1 - e² sin²φ)^1.5`` and
    east-west ``a cos φ / (1 - e² sin²φ)^0.5`` (Snyder, "Map Projections: A Working
    Manual", USGS 1395, equations 4-18 to 4-21). Their product is the exact element of area.
    """

    linear: tuple[float, float, float, float]
    """``(a, b, d, e)``: a step of one column is ``(a, d)`` in x and y, of one row
    ``(b, e)``; in :attr:`unit`, or in degrees."""
    unit: LengthUnit
    """What lengths are in."""
    equator: float | None = None
    """Latitude of the corner of pixel ``(0, 0)``, where :attr:`linear` is in degrees."""

    @classmethod
    def of(cls, image: PyramidImage) -> Ground:
        """Of an image; in px where its pixel size is not known."""
        size, unit = image.pixel_size, image.unit
        if unit == "degree" and image.affine is not None:
            a, b, _, d, e, f = image.affine
            return cls((a, b, d, e), "m", f)
        if size is None or unit not in ("m", "um"):
            return cls((1.0, 0.0, 0.0, 1.0), "px")
        known: LengthUnit = "m" if unit == "m" else "um"
        if image.affine is None:
            return cls((size[1], 0.0, 0.0, size[0]), known)
        a, b, _, d, e, _ = image.affine
        # A system may be in feet, the pixel size is in metres.
        across, down = size[1] / np.hypot(a, d), size[0] / np.hypot(b, e)
        return cls((a * across, b * down, d * across, e * down), known)

    def steps(self, rows: Numbers, cols: Numbers) -> tuple[Numbers, Numbers]:
        """Length of one unit of x and of y at pixels; 1 but for images in degrees."""
        if self.equator is None:
            ones = np.ones(np.broadcast(rows, cols).shape)
            return ones, ones
        _, _, d, e = self.linear
        latitude = np.radians(self.equator + d * (cols + 0.5) + e * (rows + 0.5))
        bent = 1 - _SQUARED_ECCENTRICITY * np.sin(latitude) ** 2
        degree = np.pi / 180 * _RADIUS
        east = degree * np.cos(latitude) / np.sqrt(bent)
        return east, degree * (1 - _SQUARED_ECCENTRICITY) / bent**1.5

    def areas(self, rows: Numbers, cols: Numbers) -> Numbers:
        """Area of a pixel, in the square of :attr:`unit`."""
        a, b, d, e = self.linear
        east, north = self.steps(rows, cols)
        return abs(a * e - b * d) * np.abs(east) * north

    def sides(self, rows: Numbers, cols: Numbers) -> tuple[Numbers, Numbers]:
        """Length of a pixel's upper edge and of its left edge."""
        a, b, d, e = self.linear
        east, north = self.steps(rows, cols)
        return np.hypot(a * east, d * north), np.hypot(b * east, e * north)

    def matrices(self, rows: Numbers, cols: Numbers) -> Numbers:
        """``(n, 2, 2)``: a step in ``(col, row)`` to one in x and y, in :attr:`unit`."""
        east, north = self.steps(rows, cols)
        matrix = np.broadcast_to(np.reshape(self.linear, (2, 2)), (len(east), 2, 2)).copy()
        matrix[:, 0] *= east[:, None]
        matrix[:, 1] *= north[:, None]
        return matrix
