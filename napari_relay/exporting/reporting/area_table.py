"""Areas in the units in which people count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from napari_relay.images.pyramid import PyramidImage


@dataclass(frozen=True)
class AreaUnit:
    """A unit of area."""

    name: str
    """As a person reads it, e.g. ``"ha"``."""
    column: str
    """As the heading of a column has it, e.g. ``"ha"`` or ``"um2"``."""
    size: float
    """How many square units of the image it is, e.g. 10 000 m²."""
    least: float = 1.0
    """From how much of it on a person reads it with ease."""


PIXELS = AreaUnit("px", "px", 1.0)
UNITS: dict[str, tuple[AreaUnit, ...]] = {
    "m": (AreaUnit("m²", "m2", 1.0), AreaUnit("ha", "ha", 1e4), AreaUnit("km²", "km2", 1e6)),
    "um": (AreaUnit("µm²", "um2", 1.0), AreaUnit("mm²", "mm2", 1e6, 0.01)),
}
"""Units of area by the unit of an image, smallest first."""


def area_units(image: PyramidImage) -> tuple[AreaUnit, ...]:
    """Units in which areas on an image are counted, smallest first; none without a length."""
    return () if image.pixel_size is None else UNITS.get(image.unit or "", ())


def pixel_area(image: PyramidImage) -> float:
    """Area of a level-0 pixel in the image's unit; 1 where it has none in length."""
    if image.pixel_size is None or not area_units(image):
        return 1.0
    return image.pixel_size[0] * image.pixel_size[1]


def shown_unit(image: PyramidImage, area: float) -> AreaUnit:
    """The unit in which an area, in square units of the image, is best read."""
    return fitting_unit(area_units(image), area)


def fitting_unit(units: Sequence[AreaUnit], area: float) -> AreaUnit:
    """The largest of some units, smallest first, in which an area is easily read."""
    fitting = [unit for unit in units if area >= unit.size * unit.least]
    return fitting[-1] if fitting else next(iter(units), PIXELS)


def figures(value: float) -> str:
    """A number with four figures, or all of those before the point, and thin spaces."""
    if value >= 1000:
        return f"{value:_.0f}".replace("_", "\u2009")
    return f"{value:.4g}"


def columns(image: PyramidImage) -> list[str]:
    """Headings of :func:`cells`."""
    return [f"area_{unit.column}" for unit in area_units(image)]


def cells(area: float, image: PyramidImage) -> Sequence[str]:
    """An area, in square units of the image, in each unit: for a table that programs read."""
    return [f"{area / unit.size:.10g}" for unit in area_units(image)]
