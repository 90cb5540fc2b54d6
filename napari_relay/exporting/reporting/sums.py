"""What is counted over every pixel of a prediction, in one pass."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.exporting.vectors import draw_area
from napari_relay.geometry import Window
from napari_relay.inference.regions import TileRegion, split_grid
from napari_relay.inference.selection import TileMap, area_of
from napari_relay.inference.store import PredictionStore
from relay_tokens import IGNORE_INDEX

_VALUES = 256


@dataclass(frozen=True)
class PredictionSums:
    """Pixels by class and confidence."""

    counts: NDArray[np.int64]
    """``(class, 256)``: level-0 pixels of each class that have each confidence, kept as
    1 ... 255 for 0 ... 1."""
    unclassed: int
    """Pixels of finished tiles that have no class, since the image has no data there."""
    asked: int
    """Pixels that were asked about: the image, or what of it lies within the areas."""
    finished: int
    """Pixels of the image in finished tiles, wherever they lie."""
    skipped: int
    """Pixels of the image in tiles that were left out as background."""
    total: int
    """Pixels of the image."""

    @cached_property
    def pixels(self) -> NDArray[np.int64]:
        """``(class,)``: level-0 pixels of each class."""
        found: NDArray[np.int64] = self.counts.sum(axis=1)
        return found

    @property
    def classed(self) -> int:
        """Pixels that have a class."""
        return int(self.counts.sum())

    @property
    def confidence(self) -> NDArray[np.float64]:
        """``(class,)``: mean confidence, 0 to 1; NaN for a class without pixels."""
        return mean_confidence(self.counts)

    @property
    def mean_confidence(self) -> float:
        """Over all pixels that have a class; NaN without any."""
        return float(mean_confidence(self.counts.sum(axis=0, keepdims=True))[0])

    @property
    def covered(self) -> float:
        """Share of the image that is predicted, or was left out as background; 0 to 1."""
        return (self.finished + self.skipped) / max(self.total, 1)


def mean_confidence(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean of histograms ``(..., 256)`` of confidence, 0 to 1; NaN without pixels."""
    pixels = counts.sum(axis=-1)
    sums = counts @ (np.arange(_VALUES) / (_VALUES - 1))
    found: NDArray[np.float64] = np.divide(
        sums, pixels, out=np.full(pixels.shape, np.nan), where=pixels > 0
    )
    return found


def sum_prediction(
    store: PredictionStore, within: shapely.Geometry | None = None
) -> Generator[tuple[int, int], None, PredictionSums]:
    """Count every finished pixel once, region by region, in bounded memory.

    Parameters
    ----------
    store
        What is counted.
    within
        Polygons in level-0 pixel corners ``(x, y)``: what counts are pixels whose middle is
        inside; None: everywhere.

    Yields
    ------
    tuple
        Regions done, and all of them.
    """
    finished, grid = store.finished, store.grid
    counts = np.zeros((_VALUES, _VALUES), np.int64)
    asked = 0
    regions = split_grid(grid)
    for number, region in enumerate(regions, 1):
        window = region.window(grid)
        inside = _inside(within, window)
        asked += window.area if inside is None else int(inside.sum())
        here = _part(finished, region)
        if here.any() and (inside is None or inside.any()):
            counts += _joint_counts(store, region, here, inside)
        yield number, len(regions)
    return PredictionSums(
        counts[: len(store.classes)],
        int(counts[IGNORE_INDEX].sum()),
        asked,
        area_of(grid, finished),
        area_of(grid, store.skipped & ~finished),
        grid.height * grid.width,
    )


def _inside(within: shapely.Geometry | None, window: Window) -> NDArray[np.bool_] | None:
    drawn = draw_area(within, window)
    return None if drawn is None else drawn.astype(np.bool_)


def _joint_counts(
    store: PredictionStore, region: TileRegion, tiles: TileMap, inside: NDArray[np.bool_] | None
) -> NDArray[np.int64]:
    """``(256, 256)``: pixels of a region's finished tiles by label and confidence."""
    window = region.window(store.grid)
    labels = store.read_labels(window)
    confidence = np.asarray(store.confidence[0][window.slices])
    joint = labels.astype(np.uint16) << 8 | confidence
    if not tiles.all():
        side = store.grid.stride
        wanted = tiles.repeat(side, axis=0).repeat(side, axis=1)[: joint.shape[0], : joint.shape[1]]
        inside = wanted if inside is None else wanted & inside
    chosen = joint.ravel() if inside is None else joint[inside]
    return np.bincount(chosen, minlength=_VALUES**2).reshape(_VALUES, _VALUES)


def _part(tiles: TileMap, region: TileRegion) -> TileMap:
    rows = slice(region.row, region.row + region.rows)
    return tiles[rows, region.col : region.col + region.cols]
