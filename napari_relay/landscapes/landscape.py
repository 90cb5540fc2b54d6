"""A landscape: elevation, photograph and classes as functions of a seed and a place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.landscapes.grid import Field, SampleGrid
from napari_relay.landscapes.noise import derive_key
from napari_relay.landscapes.scene import METRES, Scene
from napari_relay.landscapes.site_plan import COMPOUND
from napari_relay.landscapes.style import USUAL, LandscapeStyle
from relay_tokens import UserError

Slices = tuple[slice, slice]
"""Rows and columns."""

TILE = 256
"""Side of the squares, of pixels of a level, in which everything is computed."""
LARGEST = 32768
"""Rows or columns of the largest landscape."""


class LandscapePatch(NamedTuple):
    """A window of a landscape."""

    elevation: Field
    """``(rows, cols)`` metres above the sea."""
    rgb: NDArray[np.uint8]
    """``(rows, cols, 3)`` red, green, blue."""
    labels: NDArray[np.uint8]
    """``(rows, cols)`` label values of
    :data:`~napari_relay.landscapes.labels.LANDSCAPE_CLASSES`."""


@dataclass(frozen=True)
class Landscape:
    """Synthetic archaeological terrain; the same seed, scale and style give the same pixels.

    What a pixel shows depends on these and its row and column alone: not on
    :attr:`size`, nor on the window it is read in.

    Raises
    ------
    UserError
        When a field is out of range.
    """

    seed: int = 0
    """0 or more."""
    size: tuple[int, int] = (4096, 4096)
    """Rows and columns, 1 to 32768."""
    scale: float = 1.0
    """Factor on all lengths, 0.25 to 8. At 1 the classes are decided beyond local
    crops of 128 pixels and within global windows of 512; at 2, of 256 and 1024."""
    style: LandscapeStyle = USUAL
    """Soil, plan and terrain, where they are not the usual ones."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise UserError(f"The landscape's seed is {self.seed}; choose 0 or more.")
        if not all(1 <= side <= LARGEST for side in self.size):
            rows, cols = self.size
            raise UserError(
                f"The landscape's size is {rows} × {cols} pixels; choose 1 to {LARGEST} a side."
            )
        if not 0.25 <= self.scale <= 8:
            raise UserError(f"The landscape's scale is {self.scale:g}; choose 0.25 to 8.")

    @property
    def window(self) -> Window:
        """The whole landscape."""
        return Window(0, 0, *self.size)

    @property
    def pixel_size(self) -> float:
        """Side of a level-0 pixel in metres; the same at any scale."""
        return METRES

    def __str__(self) -> str:
        """What its pixels are computed from, for example ``seed 7, scale 1``."""
        style = "" if self.style == USUAL else f", {self.style}"
        return f"seed {self.seed}, scale {self.scale:g}{style}"

    def read(self, window: Window) -> LandscapePatch:
        """Compute a window.

        Parameters
        ----------
        window
            Level-0 pixels; the land goes on beyond the edges of the landscape.
        """
        made = LandscapePatch(
            np.empty(window[2:], np.float32),
            np.empty((*window[2:], 3), np.uint8),
            np.empty(window[2:], np.uint8),
        )
        for tile in tiles_in(window):
            scene, (target, own) = self._scene(tile, 1.0), overlap(tile, window)
            made.elevation[target] = _inner(scene.elevation)[own]
            made.rgb[target] = _inner(scene.photograph)[own]
            made.labels[target] = _inner(scene.labels)[own]
        return made

    def read_labels(self, window: Window) -> NDArray[np.uint8]:
        """Compute the labels alone, several times faster; as :meth:`read` gives them."""
        labels = np.empty(window[2:], np.uint8)
        for tile in tiles_in(window):
            target, own = overlap(tile, window)
            labels[target] = _inner(self._scene(tile, 1.0).labels)[own]
        return labels

    def sample(self, row: int, col: int, step: float) -> NDArray[np.float32]:
        """Red, green, blue and elevation at points ``step`` level-0 pixels apart.

        Parameters
        ----------
        row, col
            Of a tile: it has 256 × 256 points, each in the middle of ``step`` ×
            ``step`` level-0 pixels. What is finer than the points is left out.

        Returns
        -------
        NDArray[np.float32]
            ``(256, 256, 4)``.
        """
        scene = self._scene((row, col), step)
        bands = np.empty((TILE, TILE, 4), np.float32)
        bands[..., :3] = _inner(scene.photograph)
        bands[..., 3] = _inner(scene.elevation)
        return bands

    def _scene(self, tile: tuple[int, int], step: float) -> Scene:
        """What lies on a tile, and on one more point on each side (for slopes)."""
        rows, cols = (
            np.arange(k * TILE - 1, (k + 1) * TILE + 1, dtype=np.float64) * step + (step - 1) / 2
            for k in tile
        )
        origin = derive_key(self.seed, "origin") % int(2 * COMPOUND)
        grid = SampleGrid(rows / self.scale + origin, cols / self.scale + origin, step / self.scale)
        return Scene(grid, self.seed, self.style)


def tiles_in(window: Window, side: int = TILE) -> list[tuple[int, int]]:
    """Tiles of ``side`` pixels that share a pixel with a window, in row-major order."""
    rows, cols = (
        range(start // side, -(-stop // side))
        for start, stop in ((window.y0, window.y1), (window.x0, window.x1))
    )
    return [(i, j) for i in rows for j in cols]


def overlap(tile: tuple[int, int], window: Window, side: int = TILE) -> tuple[Slices, Slices]:
    """What a tile and a window share, counted from the window and from the tile."""
    whole = Window(tile[0] * side, tile[1] * side, side, side)
    shared = whole.intersection(window)
    of_window = Window(shared.y0 - window.y0, shared.x0 - window.x0, *shared[2:])
    of_tile = Window(shared.y0 - whole.y0, shared.x0 - whole.x0, *shared[2:])
    return of_window.slices, of_tile.slices


def _inner(field: NDArray[np.generic]) -> NDArray[np.generic]:
    """A tile without the points around it."""
    return field[1:-1, 1:-1]
