"""What every way of showing relief has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import reflect_indices
from napari_relay.images.relief.spacing import Spacing

Padding = Literal["edge", "reflect"]
"""What lies outside the image, in numpy's words."""


class Relief(ABC):
    """A quantity of the terrain that a pixel's neighbourhood decides.

    The definitions, and what lies outside the image, are those of the Relief
    Visualization Toolbox (Kokalj and Somrak 2019, "Why not a single image?
    Combining visualizations to facilitate fieldwork and on-screen mapping",
    Remote Sensing 11(7):747).
    """

    padding: ClassVar[Padding]
    """What lies outside the image."""

    @property
    @abstractmethod
    def halo(self) -> int:
        """Pixels around a pixel that its value depends on."""

    @abstractmethod
    def compute(self, elevation: NDArray[np.float32], spacing: Spacing) -> NDArray[np.float32]:
        """Compute the quantity wherever the whole neighbourhood is given.

        Parameters
        ----------
        elevation
            ``(rows + 2 * halo, cols + 2 * halo)``, in the unit of ``spacing``;
            NaN where there is no data.
        spacing
            Distance of the pixel centres.

        Returns
        -------
        NDArray[np.float32]
            ``(rows, cols)``; NaN exactly where the pixel itself has no data.
        """

    def at_level(self, factor: float) -> Relief:  # noqa: ARG002
        """The same quantity for pixels that are ``factor`` times larger."""
        return self


def scaled_radius(radius: int, factor: float, smallest: int) -> int:
    """Pixels of a radius that stays what it is on the ground, but for ``smallest``."""
    return max(round(radius / factor), min(radius, smallest))


def padded_indices(start: int, stop: int, length: int, padding: Padding) -> NDArray[np.intp]:
    """Indices ``start ... stop - 1`` brought into ``0 ... length - 1``."""
    if padding == "reflect":
        return reflect_indices(start, stop, length)
    return np.clip(np.arange(start, stop), 0, length - 1)
