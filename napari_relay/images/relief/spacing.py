"""How far apart pixel centres are on the ground."""

from __future__ import annotations

import math
from typing import NamedTuple

from napari_relay.images.pyramid import PyramidImage
from relay_tokens import UserError


class Spacing(NamedTuple):
    """Distance between pixel centres, in the unit of the elevation."""

    row: float
    """Down a column."""
    col: float
    """Along a row."""

    def at_level(self, factor: float) -> Spacing:
        """Distance between pixels that are ``factor`` times larger."""
        return Spacing(self.row * factor, self.col * factor)


def ground_spacing(image: PyramidImage) -> Spacing:
    """Distance between level-0 pixels, in metres where the image has a place on Earth.

    Pixels in degrees are measured at the latitude of the image's middle. Pixels
    of unknown size count as 1, those in micrometres as micrometres; the
    elevation is taken to be in the same unit.

    Raises
    ------
    UserError
        When the pixel size is in degrees at no latitude on Earth.
    """
    if image.pixel_size is None:
        return Spacing(1.0, 1.0)
    if image.unit != "degree":
        return Spacing(*image.pixel_size)
    metres = metres_a_degree(_middle_latitude(image))
    return Spacing(image.pixel_size[0] * metres.row, image.pixel_size[1] * metres.col)


def metres_a_degree(latitude: float) -> Spacing:
    """Metres in a degree of latitude and in one of longitude, on WGS 84.

    ``M π / 180`` and ``N cos φ π / 180`` with the radii of curvature along the
    meridian, M, and across it, N (Snyder 1987, "Map projections: a working
    manual", USGS Professional Paper 1395, equations 4-18 to 4-21).

    Parameters
    ----------
    latitude
        Degrees, within -90 ... 90.
    """
    phi, axis, eccentricity = math.radians(latitude), 6_378_137.0, 0.006_694_379_990_14
    bend = 1 - eccentricity * math.sin(phi) ** 2
    north = axis * (1 - eccentricity) / bend**1.5
    east = axis * math.cos(phi) / math.sqrt(bend)
    return Spacing(math.radians(north), math.radians(east))


def _middle_latitude(image: PyramidImage) -> float:
    """Latitude of the image's middle, in degrees."""
    height, width = image.shape
    latitude = math.inf
    if image.affine is not None:
        _, _, _, along, down, first = image.affine
        latitude = along * width / 2 + down * height / 2 + first
    if not abs(latitude) < 90:
        raise UserError(
            f"{image.source} has its pixel size in degrees but lies at no latitude on Earth; "
            "reproject it to a metric coordinate reference system (e.g. UTM)."
        )
    return latitude
