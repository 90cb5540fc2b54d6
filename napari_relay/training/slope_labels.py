"""Flat, gentle and steep ground of an elevation model."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.training.labels import Labels
from relay_tokens import IGNORE_INDEX, ClassSchema, SegmentationClass, UserError
from relay_tokens.metadata import Normalization

SMOOTHING_METRES = 2.0
"""Gaussian sigma over the elevation, on the ground: takes off the laser's noise."""
LIMITS_DEGREES = (5.0, 15.0)
"""Where flat ends and where steep begins."""
TRUNCATE = 3.0
"""Radius of the Gaussian, in sigmas."""


class Spacing(NamedTuple):
    """Distance between pixel centres, in metres."""

    row: float
    """Down a column."""
    col: float
    """Along a row."""


class SlopeLabels:
    """Label ground as flat (< 5°), gentle (5 to 15°) or steep (> 15°).

    Slope after Horn (1981), "Hill shading and the reflectance map", on the
    elevation smoothed by a Gaussian of 2 m. Where the smoothing or the gradient
    would reach a pixel without data, or outside the image, there is no label (255).

    Parameters
    ----------
    image
        One band of elevation in metres, with a pixel size in metres.

    Raises
    ------
    UserError
        When the image has several bands or no pixel size in metres.
    """

    name = "slope"
    normalization: Normalization = "local"
    classes = ClassSchema(
        (
            SegmentationClass("flat", "#009e73"),
            SegmentationClass("gentle", "#f0e442"),
            SegmentationClass("steep", "#d55e00"),
        )
    )

    def __init__(self, image: PyramidImage) -> None:
        self.image = image
        self.spacing = _spacing(image)
        self.sigmas = tuple(SMOOTHING_METRES / step for step in self.spacing)
        self.margin = math.ceil(TRUNCATE * max(self.sigmas)) + 2

    def read(self, window: Window) -> Labels:
        """Compute ``(height, width)`` classes; 255 near missing data and outside."""
        patch = self.image.read(window.expanded(self.margin))
        elevation = np.where(patch.valid, patch.pixels[..., 0], 0).astype(np.float64)
        smooth = ndimage.gaussian_filter(elevation, self.sigmas, truncate=TRUNCATE)
        labels = np.digitize(slope_degrees(smooth, self.spacing), LIMITS_DEGREES)
        reach = np.ones((2 * self.margin - 1, 2 * self.margin - 1), dtype=bool)
        labels[ndimage.binary_dilation(~patch.valid, reach)] = IGNORE_INDEX
        cut = slice(self.margin, -self.margin)
        return labels[cut, cut].astype(np.uint8)


def slope_degrees(elevation: NDArray[np.float64], spacing: Spacing) -> NDArray[np.float64]:
    """Steepest slope of each pixel by Horn's 3 × 3 differences, in degrees.

    Parameters
    ----------
    elevation
        ``(rows, cols)`` in metres.
    spacing
        Metres between pixel centres.
    """
    down = ndimage.sobel(elevation, axis=0) / (8 * spacing.row)
    along = ndimage.sobel(elevation, axis=1) / (8 * spacing.col)
    slope: NDArray[np.float64] = np.degrees(np.arctan(np.hypot(down, along)))
    return slope


def _spacing(image: PyramidImage) -> Spacing:
    if len(image.bands) != 1:
        raise UserError(
            f"{image.source} has {len(image.bands)} bands; "
            "slope labels need one band of elevation in metres."
        )
    if image.pixel_size is None or image.unit != "m":
        raise UserError(
            f"{image.source} has no pixel size in metres; "
            "reproject it to a metric coordinate reference system (e.g. UTM)."
        )
    return Spacing(*image.pixel_size)
