"""What all tiles of a core share: its regions, and how glands are bent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from napari_relay.landscapes.noise import derive_key
from napari_relay.tissues.regions import Regions, draw_regions
from napari_relay.tissues.waves import Points, Waves, draw_waves

BEND = 4.6
"""Pixels, standard deviation, by which glands are bent out of shape."""
BEND_LENGTHS = (60.0, 180.0)
"""Wavelengths of the bends, in pixels."""


@dataclass(frozen=True, eq=False)
class CorePlan:
    """The plan of one core, in level-0 pixels of its image."""

    seed: int
    """Of the core."""
    side: int
    """Rows and columns of the image."""
    radius: float
    """Of the core, around the middle of the image."""

    @cached_property
    def regions(self) -> Regions:
        """Which place has which grade."""
        return draw_regions(self.seed, self.side)

    @property
    def strays(self) -> float:
        """Pixels by which no place is bent."""
        return sum(wave.largest for wave in self._bends)

    def bent(self, rows: Points, cols: Points) -> tuple[Points, Points]:
        """Plan coordinates of places in the image."""
        return rows + self._bends[0].at(rows, cols), cols + self._bends[1].at(rows, cols)

    def unbent(self, rows: Points, cols: Points) -> tuple[Points, Points]:
        """Places in the image of plan coordinates, within a fraction of a pixel."""
        down, across = rows, cols
        for _ in range(3):
            moved = self._bends[0].at(down, across), self._bends[1].at(down, across)
            down, across = rows - moved[0], cols - moved[1]
        return down, across

    @cached_property
    def _bends(self) -> tuple[Waves, Waves]:
        down, across = (
            draw_waves(derive_key(self.seed, "gland bend", axis), BEND, BEND_LENGTHS)
            for axis in ("row", "col")
        )
        return down, across
