"""The ways in which relief is shown."""

from __future__ import annotations

from dataclasses import dataclass

from napari_relay.images.relief.bands import DIRECTIONS


@dataclass(frozen=True)
class ReliefStyle:
    """What is shown, and between which values."""

    label: str
    """What a person calls it."""
    bands: tuple[str, ...]
    """One band, shown as grey, or three, shown as red, green and blue."""
    limits: tuple[float, float]
    """Values shown as black and as white; those of RVT's 8-bit pictures."""
    dark_high: bool = False
    """Whether the higher value is the darker one."""


STYLES = (
    ReliefStyle("Hillshade", ("hillshade",), (0.0, 1.0)),
    ReliefStyle("Multi-direction hillshade", DIRECTIONS, (0.0, 1.0)),
    ReliefStyle("Slope", ("slope",), (0.0, 51.0), dark_high=True),
    ReliefStyle("Local relief", ("local relief",), (-2.0, 2.0)),
    ReliefStyle("Sky-view factor", ("sky-view factor",), (0.6375, 1.0)),
    ReliefStyle("Positive openness", ("positive openness",), (60.0, 95.0)),
    ReliefStyle("Negative openness", ("negative openness",), (60.0, 95.0), dark_high=True),
)
"""All of them, in the order in which they are offered."""
