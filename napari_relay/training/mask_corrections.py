"""Corrections from a mask file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.training.correction_values import IGNORED, NOT_CLASS, UNTOUCHED
from napari_relay.training.labels import Labels
from napari_relay.training.mask_labels import MaskLabels
from relay_tokens import ModelMetadata


class MaskCorrections:
    """Corrections from a one-band raster file with the image's own pixel grid.

    Parameters
    ----------
    path
        A file whose pixel values are those of
        :mod:`~napari_relay.training.correction_values`; any other value, and nodata,
        counts as untouched.
    image
        The image it belongs to; both have the same rows and columns.
    metadata
        The model's, whose classes the values mean.

    Raises
    ------
    UserError
        When the file has several bands, another size, or no whole numbers.
    """

    def __init__(self, path: str | Path, image: PyramidImage, metadata: ModelMetadata) -> None:
        self._mask = MaskLabels(path, image, metadata.classes).mask
        self._count = len(metadata.classes)

    def read(self, window: Window) -> Labels:
        """Read ``(height, width)`` values of corrections; 255 where nothing was said."""
        patch = self._mask.read(window)
        values = patch.pixels[..., 0].astype(np.int64)
        said = (values >= 0) & (values < self._count)
        said |= (values >= NOT_CLASS) & (values < NOT_CLASS + self._count)
        said |= values == IGNORED
        return np.where(patch.valid & said, values, UNTOUCHED).astype(np.uint8)
