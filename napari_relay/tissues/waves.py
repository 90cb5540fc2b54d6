"""Smooth random functions of a place that can be asked for at any points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""A coordinate, or a value, of every point; any shape."""

COUNT = 7
"""Waves that are added: enough that no direction stands out."""


@dataclass(frozen=True, eq=False)
class Waves:
    """A sum of plane waves, close to a Gaussian random field."""

    down: Points
    """``(wave,)`` radians a pixel along the rows."""
    across: Points
    """``(wave,)`` radians a pixel along the columns."""
    phase: Points
    """``(wave,)`` radians."""
    amplitude: float
    """Of each, in the unit of the result."""

    @property
    def largest(self) -> float:
        """No value is larger, nor smaller than minus this."""
        return self.amplitude * len(self.phase)

    def at(self, rows: Points, cols: Points) -> Points:
        """Value at points: ``rows`` and ``cols`` broadcast."""
        total = np.zeros(np.broadcast_shapes(np.shape(rows), np.shape(cols)))
        for down, across, phase in zip(self.down, self.across, self.phase, strict=True):
            total += np.sin(down * rows + across * cols + phase)
        return self.amplitude * total


def draw_waves(key: int, spread: float, lengths: tuple[float, float]) -> Waves:
    """Draw waves of a standard deviation, with wavelengths of a range in pixels."""
    rng = np.random.default_rng(key)
    frequency = 2 * np.pi / rng.uniform(*lengths, COUNT)
    # Evenly spread directions: with few waves, chance would leave one out.
    angle = np.pi * (np.arange(COUNT) + rng.uniform(0, 1, COUNT)) / COUNT
    phase = rng.uniform(0, 2 * np.pi, COUNT)
    amplitude = spread * float(np.sqrt(2 / COUNT))
    return Waves(frequency * np.sin(angle), frequency * np.cos(angle), phase, amplitude)
