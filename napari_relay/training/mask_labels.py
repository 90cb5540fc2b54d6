"""Labels from a mask file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image
from napari_relay.training.labels import Labels
from relay_tokens import IGNORE_INDEX, ClassSchema, UserError


class MaskLabels:
    """Classes from a one-band raster file with the image's own pixel grid.

    Parameters
    ----------
    path
        A file whose pixel values are the label values of ``classes``.
    image
        The image it belongs to; both have the same rows and columns.
    classes
        What the values mean; any other value counts as not labelled.

    Raises
    ------
    UserError
        When the file has several bands, another size, or no whole numbers.
    """

    def __init__(self, path: str | Path, image: PyramidImage, classes: ClassSchema) -> None:
        self.mask = open_image(path)
        self.classes = classes
        _check_mask(self.mask, image)

    def read(self, window: Window) -> Labels:
        """Read ``(height, width)`` classes; 255 for nodata and unknown values."""
        patch = self.mask.read(window)
        values = patch.pixels[..., 0].astype(np.int64)
        known = patch.valid & (values >= 0) & (values < len(self.classes))
        return np.where(known, values, IGNORE_INDEX).astype(np.uint8)


def _check_mask(mask: PyramidImage, image: PyramidImage) -> None:
    if len(mask.bands) != 1 or not np.issubdtype(mask.dtype, np.integer):
        raise UserError(
            f"{mask.source} is not a mask: it has {len(mask.bands)} bands of {mask.dtype}; "
            "give one band of whole numbers, one for each class."
        )
    if mask.shape != image.shape:
        raise UserError(
            f"The mask {mask.source} has {mask.shape[0]} × {mask.shape[1]} pixels, the image "
            f"{image.source} {image.shape[0]} × {image.shape[1]}; give a mask on the same grid."
        )
