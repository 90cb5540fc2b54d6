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
    """Factor of each normalised band; empty: colours stay."""
    bias: tuple[float, ...] = ()
    """Added to each normalised band."""

    def move(self, array: NDArray[Value]) -> NDArray[Value]:
        """Turn and mirror the last two axes (rows, cols) of a square array."""
        turned = np.rot90(array, self.turns, axes=(-2, -1))
        return np.ascontiguousarray(turned[..., ::-1] if self.mirror else turned)

    def tint(self, crop: Crop) -> Crop:
        """Change the bands of a normalised crop ``(band, rows, cols)``."""
        if not self.gain:
            return crop
        gain = np.asarray(self.gain, dtype=np.float32)[:, None, None]
        bias = np.asarray(self.bias, dtype=np.float32)[:, None, None]
        changed: Crop = crop * gain + bias
        return changed

    def apply(self, crop: Crop) -> Crop:
        """Move and tint a normalised crop ``(band, rows, cols)``."""
        return self.tint(self.move(crop))


def random_augmentation(
    rng: np.random.Generator, bands: int, color_jitter: float = 0.0
) -> Augmentation:
    """Draw an augmentation; both crops of an example and its labels get the same.

    Parameters
    ----------
    rng
        Decides everything.
    bands
        Number of bands.
    color_jitter
        Largest relative gain and largest bias (in standard deviations); 0: none.
        Half of each is common to all bands (brightness), half is the band's own.
    """
    turns, mirror = int(rng.integers(4)), bool(rng.integers(2))
    if not color_jitter:
        return Augmentation(turns, mirror)
    common = rng.uniform(-0.5, 0.5, size=2)
    own = rng.uniform(-0.5, 0.5, size=(2, bands))
    gain = 1 + color_jitter * (common[0] + own[0])
    bias = color_jitter * (common[1] + own[1])
    return Augmentation(turns, mirror, tuple(gain.tolist()), tuple(bias.tolist()))
