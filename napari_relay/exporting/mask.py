"""Class masks as images on disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.placement import Placement
from napari_relay.exporting.raster import LabelArray, write_png, write_tiff
from napari_relay.exporting.whole import whole_file
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore
from relay_tokens import ClassSchema, UserError

TIFF_SUFFIXES = (".tif", ".tiff")
PNG_SUFFIX = ".png"
LARGEST_PNG = 8192
"""Longest side of a PNG, in pixels: it is made in memory."""
_COARSEST = 512


def export_mask(store: PredictionStore, image: PyramidImage, path: str | Path) -> Path:
    """Write the predicted classes of an image as one file.

    Parameters
    ----------
    store
        Tiles that are not finished are 255.
    image
        What was predicted; its pixel size, CRS and affine go into the file.
    path
        See :func:`export_labels`.

    Returns
    -------
    Path
        The written file.

    Raises
    ------
    UserError
        When the file cannot be written; nothing is left behind then.
    """
    height, width = store.shape
    levels: list[LabelArray] = []
    for k, level in enumerate(store.labels):
        levels.append(_Cropped(level, (-(-height >> k), -(-width >> k))))
    return _export(levels, Path(path), store.classes, Placement.of(image))


def export_labels(
    labels: LabelArray,
    path: str | Path,
    classes: ClassSchema | None = None,
    placement: Placement | None = None,
) -> Path:
    """Write labels as one file, tile by tile.

    ``.tif`` and ``.tiff`` are tiled, pyramidal, deflate-compressed TIFF with a
    colour table, GeoTIFF tags when there is a CRS, and the class names as JSON
    in the description; ``.ome.tif`` is OME-TIFF. ``.png`` has the colour
    values and is for images up to 8192 px a side.

    Parameters
    ----------
    labels
        ``(rows, cols)`` ``uint8``; 255: no class.
    path
        The file to write; what was there is replaced once the new one is whole.
    classes
        Names and colours.
    placement
        Where the labels lie.

    Returns
    -------
    Path
        The written file.

    Raises
    ------
    UserError
        When the file cannot be written; nothing is left behind then.
    """
    levels = [labels]
    while max(levels[-1].shape) > _COARSEST:
        levels.append(_Thinned(labels, 2 ** len(levels)))
    return _export(levels, Path(path), classes, placement or Placement())


class _Cropped:
    """An array without its padding."""

    def __init__(self, array: LabelArray, shape: tuple[int, int]) -> None:
        self._array, self.shape = array, shape

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[np.uint8]:
        stops = [min(part.stop, side) for part, side in zip(key, self.shape, strict=True)]
        rows, cols = slice(key[0].start, stops[0]), slice(key[1].start, stops[1])
        return np.asarray(self._array[rows, cols])


class _Thinned:
    """Every ``step``-th pixel of an array."""

    def __init__(self, array: LabelArray, step: int) -> None:
        self._array, self._step = array, step
        self.shape = tuple(-(-side // step) for side in array.shape)

    def __getitem__(self, key: tuple[slice, slice]) -> NDArray[np.uint8]:
        step = self._step
        rows, cols = (slice(part.start * step, part.stop * step, step) for part in key)
        return np.asarray(self._array[rows, cols])


def _export(
    levels: Sequence[LabelArray], path: Path, classes: ClassSchema | None, placement: Placement
) -> Path:
    _check(path, max(levels[0].shape))
    with whole_file(path) as scratch:
        if path.suffix.lower() == PNG_SUFFIX:
            write_png(scratch, levels[0], classes)
        else:
            write_tiff(scratch, levels, classes, placement)
    return path


def _check(path: Path, side: int) -> None:
    if path.suffix.lower() not in (*TIFF_SUFFIXES, PNG_SUFFIX):
        raise UserError(
            f"{path} cannot be written as {path.suffix or 'a file without a suffix'}; "
            "choose a name that ends in .tif, .ome.tif or .png."
        )
    if path.suffix.lower() == PNG_SUFFIX and side > LARGEST_PNG:
        raise UserError(
            f"{path} would be {side} px wide or high and PNG is for up to {LARGEST_PNG}; "
            "choose a name that ends in .tif."
        )
