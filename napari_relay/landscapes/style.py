"""What the same site looks like elsewhere: soil, plan and terrain."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from relay_tokens import UserError

ROUGHEST = 8.0
"""Largest factor on the rough ground."""


class Soil(StrEnum):
    """Which colours the bare ground has."""

    LATERITE = "laterite"
    """Red banks, grey stone, green rice."""
    LOESS = "loess"
    """Pale yellow banks and mounds, brown stone, turbid water, ripe crops."""


class Plan(StrEnum):
    """How an enclosed compound is divided."""

    ROWS = "rows"
    """Into four long blocks beside each other."""
    COURTS = "courts"
    """Into sixteen square ones."""


@dataclass(frozen=True)
class LandscapeStyle:
    """How a landscape differs from the usual one; what makes a class stays the same.

    Raises
    ------
    UserError
        When the roughness is out of range.
    """

    soil: Soil = Soil.LATERITE
    """Colours of the ground and of what is made of it."""
    plan: Plan = Plan.ROWS
    """How compounds are divided."""
    roughness: float = 1.0
    """Factor on the heights of the small humps of the ground, 0 to 8."""

    def __post_init__(self) -> None:
        if not 0 <= self.roughness <= ROUGHEST or math.isnan(self.roughness):
            raise UserError(
                f"The landscape's roughness is {self.roughness:g}; choose 0 to {ROUGHEST:g}."
            )

    def __str__(self) -> str:
        """For example ``soil loess, plan courts, roughness 3``."""
        return f"soil {self.soil}, plan {self.plan}, roughness {self.roughness:g}"


USUAL = LandscapeStyle()
"""That of all landscapes of which nothing else is said."""
