"""A scale bar of a round length."""

from __future__ import annotations

import math
from typing import NamedTuple

_SHARE = 0.25
_STEPS = (5, 2, 1)
_UNITS: dict[str, tuple[tuple[float, str], ...]] = {
    "um": ((1e3, "mm"), (1.0, "µm"), (1e-3, "nm")),
    "m": ((1e3, "km"), (1.0, "m"), (1e-2, "cm")),
}
"""Larger to smaller: how many of the image's unit, and what it is called."""


class ScaleBar(NamedTuple):
    """How long a scale bar is, and what is written at it."""

    length: float
    """In the image's unit; in pixels where it has none."""
    text: str
    """E.g. ``"200 µm"``."""


def scale_bar(width: float, unit: str | None) -> ScaleBar:
    """The longest bar of 1, 2 or 5 times a power of ten within a quarter of a width.

    Parameters
    ----------
    width
        Of the picture, in ``unit``.
    unit
        ``"um"`` or ``"m"``; None: pixels.
    """
    most = width * _SHARE
    power = 10.0 ** math.floor(math.log10(most))
    length = next(step * power for step in _STEPS if step * power <= most)
    if unit is None:
        return ScaleBar(length, f"{length:g} px")
    scales = _UNITS[unit]
    size, name = next((s for s in scales if length >= s[0]), scales[-1])
    return ScaleBar(length, f"{round(length / size, 9):g} {name}")
