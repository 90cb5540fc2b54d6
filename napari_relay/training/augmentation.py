"""Changes to a training example that leave its meaning alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Crop = NDArray[np.float32]
Value = TypeVar("Value", bound=np.generic)


@dataclass(frozen=True)
class Augmentation:
    """One of a square's eight symmetries, and a shift of the colours."""

    turns: int = 0
    """Quarter turns, 0 to 3."""
    mirror: bool = False
    """Whether columns are reversed, after the turn."""
    gain: tuple[float, ...] = ()
    """Factor of each of the first normalised bands, which are colours; others stay."""
    bias: tuple[float, ...] = ()
    """Added to each of these bands."""

    def move(self, array: NDArray[Value]) -> NDArray[Value]:
        """Turn and mirror the last two axes (rows, cols) of a square array."""
        turned = np.rot90(array, self.turns, axes=(-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if self.mirror else turned)

    def tint(self, crop: Crop) -> Crop:
        """Change the colours of a normalised crop ``(band, rows, cols)``."""
        if not self.gain:
            return crop
        gain = np.asarray(self.gain, dtype=np.float32)[:, None, None]
        bias = np.asarray(self.bias, dtype=np.float32)[:, None, None]
        colors = crop[: len(gain)] * gain + bias
        return np.concatenate([colors, crop[len(gain) :]])

    def apply(self, crop: Crop) -> Crop:
        """Move and tint a normalised crop ``(band, rows, cols)``."""
        return self.tint(self.move(crop))


COLORS = 3
"""Red, green and blue, the first bands of images that have them."""


def random_augmentation(rng: np.random.Generator, color_jitter: float = 0.0) -> Augmentation:
    """Draw an augmentation; both crops of an example and its labels get the same.

    Parameters
    ----------
    rng
        Decides everything.
    color_jitter
        Largest relative gain and largest bias (in standard deviations) of red,
        green and blue; 0 where an image has none, or they may not change. Half of
        each is common to the three (brightness), half is the band's own.
    """
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
    if not color_jitter:
        return Augmentation(turns, mirror)
    common = rng.uniform(-0.5, 0.5, size=2)
    own = rng.uniform(-0.5, 0.5, size=(2, COLORS))
    gain = 1 + color_jitter * (common[0] + own[0])
    bias = color_jitter * (common[1] + own[1])
    return Augmentation(turns, mirror, tuple(gain.tolist()), tuple(bias.tolist()))
