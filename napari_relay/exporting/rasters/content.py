"""What a raster file holds, whatever its format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.placement import Placement
from napari_relay.exporting.rasters.description import RasterDescription
from napari_relay.exporting.rasters.level import PixelSource, RasterLevel, halved_levels
from napari_relay.exporting.rasters.options import Quantity, RasterOptions
from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore
from relay_tokens import IGNORE_INDEX, UserError


@dataclass(frozen=True)
class RasterContent:
    """Pixels, and what they mean."""

    levels: tuple[RasterLevel, ...]
    """Full resolution first, each with every second pixel of the one before."""
    description: RasterDescription
    """What the pixels mean, and where they lie."""
    name: str
    """Of the image that it was made from."""
    origin: tuple[int, int] = (0, 0)
    """Level-0 ``(row, col)`` of that image with which the raster begins."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of full resolution."""
        return self.levels[0].shape

    @property
    def placement(self) -> Placement:
        """Where the raster lies."""
        return self.description.placement

    def tile(self, level: int, row: int, col: int, side: int) -> NDArray[np.uint8]:
        """A tile of a level, ``(band, side, side)``, filled up with the value for no data.

        Raises
        ------
        UserError
            When a pixel is no class.
        """
        height, width = self.levels[level].shape
        whole = Window(row * side, col * side, side, side)
        block = self.levels[level].read(whole.intersection(Window(0, 0, height, width)))
        tile = np.full((len(block), side, side), self.description.nodata, np.uint8)
        tile[:, : block.shape[1], : block.shape[2]] = _as_bytes(block)
        return tile


def store_content(
    store: PredictionStore, image: PyramidImage, options: RasterOptions
) -> RasterContent:
    """What a raster of a prediction holds.

    Raises
    ------
    UserError
        When the store does not keep what is wanted, or the window is outside.
    """
    window = image.window if options.window is None else options.window
    window = window.intersection(image.window)
    if not window.area:
        raise UserError(
            f"The window {tuple(options.window or ())} lies outside {image.source}, which has "
            f"{image.shape[0]} rows and {image.shape[1]} columns; choose one inside."
        )
    names = store.classes.names if options.quantity == "probabilities" else (options.quantity,)
    return RasterContent(
        halved_levels(_arrays(store, options.quantity), window),
        RasterDescription(
            options.quantity, tuple(names), store.classes, Placement.of(image).within(window)
        ),
        image.source.name,
        (window.y0, window.x0),
    )


def array_content(
    levels: Sequence[PixelSource],
    shape: tuple[int, int],
    description: RasterDescription,
    name: str,
) -> RasterContent:
    """What a raster of arrays holds.

    Parameters
    ----------
    levels
        Full resolution, and what there is of every second pixel, every fourth ...
    shape
        Rows and columns that are written; the arrays may be larger.
    """
    return RasterContent(halved_levels(levels, Window(0, 0, *shape)), description, name)


def _arrays(store: PredictionStore, quantity: Quantity) -> Sequence[PixelSource]:
    if quantity == "probabilities":
        return store.probabilities
    if quantity == "disagreement":
        if store.disagreement is None:
            raise UserError(
                f"{store.folder} has no disagreement: its model has no global branch; "
                "choose the confidence or the entropy."
            )
        return store.disagreement
    kept = {"classes": store.labels, "confidence": store.confidence, "entropy": store.entropy}
    return kept[quantity]


def _as_bytes(block: NDArray[Any]) -> NDArray[np.uint8]:
    if block.dtype != np.uint8 and block.size:
        odd = block.max() if block.max() > IGNORE_INDEX else block.min()
        if not 0 <= odd <= IGNORE_INDEX:
            raise UserError(
                f"The label {odd} does not fit into a class mask, which has classes from 0 to "
                f"{IGNORE_INDEX - 1}; save such labels in another format."
            )
    return block.astype(np.uint8, copy=False)
