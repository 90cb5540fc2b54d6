"""A mask file whose values or colours stand for classes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image
from napari_relay.training.labels import Labels
from relay_tokens import IGNORE_INDEX, UserError


@dataclass(frozen=True)
class ClassTable:
    """What the pixels of a mask file mean; all else is not labelled."""

    values: Mapping[int, int] = field(default_factory=dict)
    """Class of each value of a mask of one band."""
    colors: Mapping[int, int] = field(default_factory=dict)
    """Class of each colour ``0xrrggbb`` of a mask in colours."""


@dataclass(frozen=True)
class MaskFile:
    """A mask on the grid of its image."""

    path: Path
    """A raster of one band of whole numbers, or in colours (RGB or a palette)."""
    table: ClassTable
    """What its pixels mean."""

    def open(self, image: PyramidImage) -> RemappedMask:
        """Open it lazily.

        Raises
        ------
        UserError
            When the mask cannot be opened, has another size than the image, or
            pixels of a kind that the table does not know.
        """
        mask = open_image(self.path)
        _check(mask, image)
        return RemappedMask(mask, self._meaning(mask))

    def _meaning(self, mask: PyramidImage) -> Mapping[int, int]:
        """The part of the table that fits the mask."""
        is_gray = len(mask.bands) == 1 and mask.dtype.kind in "ui"
        is_colored = len(mask.bands) == 3 and mask.dtype == np.uint8
        if is_gray and self.table.values:
            return self.table.values
        if is_colored and self.table.colors:
            return self.table.colors
        gray = "one band of whole numbers" if self.table.values else ""
        colored = "three bands of 8 bits or a palette" if self.table.colors else ""
        raise UserError(
            f"{self.path} has {len(mask.bands)} bands of {mask.dtype}; "
            f"the masks here have {' or '.join(filter(None, (gray, colored)))}, so export it anew."
        )


@dataclass(frozen=True, eq=False)
class RemappedMask:
    """Classes looked up pixel by pixel."""

    mask: PyramidImage
    """One band, or red, green and blue."""
    table: Mapping[int, int]
    """Class of each value or colour."""

    def read(self, window: Window) -> Labels:
        """Read ``(height, width)`` classes; 255 outside, for nodata and for what is unknown."""
        patch = self.mask.read(window)
        classes = look_up(pixel_codes(patch.pixels), self.table)
        return np.where(patch.valid, classes, IGNORE_INDEX).astype(np.uint8)


def look_up(codes: NDArray[np.int64], table: Mapping[int, int]) -> Labels:
    """Class of each code by a table; 255 for a code that it lacks."""
    known = np.array(sorted(table), dtype=np.int64)
    classes = np.array([table[code] for code in sorted(table)], dtype=np.uint8)
    place = np.searchsorted(known, codes).clip(max=len(known) - 1)
    return np.where(known[place] == codes, classes[place], IGNORE_INDEX).astype(np.uint8)


def color_code(color: str) -> int:
    """``#rrggbb`` as a number."""
    return int(color.removeprefix("#"), 16)


def pixel_codes(pixels: NDArray[np.generic]) -> NDArray[np.int64]:
    """Value, or ``0xrrggbb``, of each pixel ``(rows, cols, band)``."""
    if pixels.shape[2] == 1:
        return pixels[..., 0].astype(np.int64)
    weights = np.array([1 << 16, 1 << 8, 1])
    codes: NDArray[np.int64] = pixels.astype(np.int64) @ weights
    return codes


def _check(mask: PyramidImage, image: PyramidImage) -> None:
    if mask.shape != image.shape:
        raise UserError(
            f"The mask {mask.source} has {mask.shape[0]} × {mask.shape[1]} pixels, the image "
            f"{image.source} {image.shape[0]} × {image.shape[1]}; give a mask on the same grid."
        )
