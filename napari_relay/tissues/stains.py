"""Haematoxylin and eosin as light is lost in them."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.color import rgb_from_hed

from napari_relay.landscapes.grid import Field
from napari_relay.landscapes.noise import derive_key

GLASS = (243.0, 242.0, 244.0)
"""Red, green and blue of light that nothing is in the way of."""
OLD_GLASS = (238.0, 228.0, 204.0)
"""The same of yellowed glass and mounting."""
FADED_BLUE = np.float32(0.55)
"""Share of haematoxylin that is left after years."""
FADED_PINK = np.array([1.9, 1.15, 1.45], np.float32)
"""Factor on the density of old eosin, which turns brown."""
VARIATION = 0.11
"""Share by which the strength of a stain differs between cores."""
COOLNESS = (0.0, 0.25)
"""How much of the third vector of the matrix haematoxylin holds."""
WARMTH = (0.65, 1.05)
"""The same of eosin: it makes it salmon."""


class Stains(NamedTuple):
    """The stains of one core."""

    haematoxylin: NDArray[np.float32]
    """``(3,)`` optical density of an amount of 1 in red, green, blue; natural log."""
    eosin: NDArray[np.float32]
    """The same."""
    glass: tuple[float, float, float] = GLASS
    """Red, green and blue of light that no tissue is in the way of."""

    def color(self, haematoxylin: Field, eosin: Field, light: Field) -> NDArray[np.uint8]:
        """Red, green and blue ``(rows, cols, 3)`` by the law of Beer and Lambert.

        Parameters
        ----------
        haematoxylin, eosin
            Amounts, 0 and up, ``(rows, cols)``.
        light
            Added to each colour, in its units.
        """
        made = np.empty((*haematoxylin.shape, 3), np.uint8)
        for band, full in enumerate(self.glass):
            density = haematoxylin * -self.haematoxylin[band] - eosin * self.eosin[band]
            np.exp(density, out=density)
            density *= np.float32(full)
            density += light + np.float32(0.5)
            made[..., band] = np.clip(density, 0, 255)
        return made


class Staining(StrEnum):
    """How the cores of a laboratory look."""

    USUAL = "usual"
    """Freshly stained."""
    FADED = "faded"
    """Kept for years: pale blue, strong brownish pink, yellowed glass."""


def draw_stains(seed: int, staining: Staining = Staining.USUAL) -> Stains:
    """Draw the stains of a core around those of Ruifrok and Johnston.

    The vectors are rows of :data:`skimage.color.rgb_from_hed` (Ruifrok and
    Johnston 2001, "Quantification of histochemical staining by color
    deconvolution"), the second mixed with some of the third.
    """
    rng = np.random.default_rng(derive_key(seed, "stains"))
    blue, pink, residual = np.asarray(rgb_from_hed, np.float64)
    mixed = blue + rng.uniform(*COOLNESS) * residual, pink + rng.uniform(*WARMTH) * residual
    strengths = rng.uniform(1 - VARIATION, 1 + VARIATION, 2)
    cool, warm = (
        (strength * vector / np.linalg.norm(vector)).astype(np.float32)
        for strength, vector in zip(strengths, mixed, strict=True)
    )
    if staining is Staining.USUAL:
        return Stains(cool, warm)
    return Stains(FADED_BLUE * cool + 0.12 * warm, FADED_PINK * warm, OLD_GLASS)
