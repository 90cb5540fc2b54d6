"""A tissue core: colours and grades as functions of a seed and a place."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.landscapes.landscape import overlap, tiles_in
from napari_relay.tissues.plan import CorePlan
from napari_relay.tissues.section import Section
from napari_relay.tissues.stains import Staining, Stains, draw_stains
from relay_tokens import UserError

SMALLEST, LARGEST = 256, 8192
"""Diameters of a core, in pixels."""
GLASS_SHARE = 24
"""The strip of glass on each side is the diameter divided by this."""
PIXEL_SIZE = 0.5
"""Micrometres: a scan at 20×."""


class TissuePatch(NamedTuple):
    """A window of a core."""

    rgb: NDArray[np.uint8]
    """``(rows, cols, 3)`` red, green, blue."""
    labels: NDArray[np.uint8]
    """``(rows, cols)`` label values of
    :data:`~napari_relay.tissues.labels.GLEASON_CLASSES`."""


@dataclass(frozen=True)
class TissueCore:
    """A synthetic core of prostate-like tissue; the same seed gives the same pixels.

    What a pixel shows depends on the seed, the diameter, the staining and its row
    and column alone, not on the window it is read in.

    Raises
    ------
    UserError
        When a field is out of range.
    """

    seed: int = 0
    """0 or more."""
    diameter_px: int = 3072
    """Of the core, 256 to 8192; the image is a square about a twelfth wider."""
    staining: Staining = Staining.USUAL
    """How it looks; its tissue is the same."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UserError(f"The core's seed is {self.seed}; choose 0 or more.")
        if not SMALLEST <= self.diameter_px <= LARGEST:
            raise UserError(
                f"The core's diameter is {self.diameter_px} pixels; choose {SMALLEST} to {LARGEST}."
            )

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of the image: the core and the glass around it."""
        side = self.diameter_px + 2 * (self.diameter_px // GLASS_SHARE)
        return side, side

    @property
    def window(self) -> Window:
        """The whole image."""
        return Window(0, 0, *self.size)

    @property
    def pixel_size(self) -> float:
        """Side of a level-0 pixel in micrometres."""
        return PIXEL_SIZE

    def read(self, window: Window) -> TissuePatch:
        """Compute a window.

        Parameters
        ----------
        window
            Level-0 pixels; beyond the edges of the image there is glass.
        """
        made = TissuePatch(np.empty((*window[2:], 3), np.uint8), np.empty(window[2:], np.uint8))
        for tile in tiles_in(window):
            section, (target, own) = Section(self._plan, tile), overlap(tile, window)
            made.rgb[target] = section.color(self._stains)[own]
            made.labels[target] = section.labels[own]
        return made

    def read_labels(self, window: Window) -> NDArray[np.uint8]:
        """Compute the labels alone, several times faster; as :meth:`read` gives them."""
        labels = np.empty(window[2:], np.uint8)
        for tile in tiles_in(window):
            target, own = overlap(tile, window)
            labels[target] = Section(self._plan, tile).labels[own]
        return labels

    def read_tile(self, row: int, col: int) -> NDArray[np.uint8]:
        """Red, green and blue of a tile, ``(256, 256, 3)``."""
        return Section(self._plan, (row, col)).color(self._stains)

    @cached_property
    def _plan(self) -> CorePlan:
        return CorePlan(self.seed, self.size[0], self.diameter_px / 2)

    @cached_property
    def _stains(self) -> Stains:
        return draw_stains(self.seed, self.staining)
