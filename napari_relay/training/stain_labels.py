"""Background, tissue and nuclei of a haematoxylin-eosin slide, from its colours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.color import rgb2hed
from skimage.filters import threshold_otsu
from skimage.morphology import disk, opening, remove_small_objects

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.training.labels import Labels
from relay_tokens import IGNORE_INDEX, ClassSchema, SegmentationClass, UserError
from relay_tokens.metadata import Normalization

BACKGROUND, TISSUE, NUCLEI = 0, 1, 2
Mask = NDArray[np.bool_]
Stain = NDArray[np.float64]


@dataclass(frozen=True)
class StainSizes:
    """Lengths of the recipe, in micrometres; a nucleus is 5 to 12 across."""

    smoothing: float = 0.6
    """Gaussian sigma over the stain amounts."""
    surroundings: float = 7.5
    """Gaussian sigma of the local mean that a nucleus must stand out from."""
    solid: float = 6.0
    """Radius of a dark disk that is too large for a nucleus (keratin, pigment, folds)."""
    unsure: float = 22.0
    """Dark pixels this close to something solid get no label."""
    speck: float = 1.0
    """Radius of an opening that breaks thin dark lines."""
    smallest: float = 3.6
    """Diameter of the smallest nucleus."""

    def margin(self, pixel_size: float) -> int:
        """Pixels around a window that its labels depend on."""
        reach = 3 * self.smoothing + max(3 * self.surroundings, 2 * self.solid + self.unsure)
        # A group of pixels smaller than ``smallest`` reaches no further than its pixel count.
        count = math.ceil(smallest_area(self, pixel_size))
        return math.ceil((reach + 4 * self.speck) / pixel_size) + count + 8


def smallest_area(sizes: StainSizes, pixel_size: float) -> float:
    """Area of the smallest nucleus, in pixels."""
    return math.pi * (sizes.smallest / 2 / pixel_size) ** 2


@dataclass(frozen=True)
class StainThresholds:
    """Amounts of stain that part the classes, the same all over a slide."""

    tissue: float
    """Optical density, natural log summed over red, green, blue."""
    dense: float
    """Optical density of nuclei, keratin, pigment and folds."""
    nuclei: float
    """Haematoxylin (first channel of :func:`skimage.color.rgb2hed`)."""


class StainLabels:
    """Label a haematoxylin-eosin slide by colour deconvolution and Otsu thresholds.

    A pixel is *tissue* when its optical density is over half of the slide's Otsu
    threshold, and *nuclei* when it is also rich in haematoxylin (Ruifrok and
    Johnston 2001, as in :func:`skimage.color.rgb2hed`; 0.9 of Otsu among tissue pixels)
    and richer than its surroundings, in a group of a nucleus's size. Large dark
    areas are tissue; stained pixels that could be either have no label (255). The
    thresholds are estimated once a slide, so a pixel's label does not depend on
    the window it is read in.

    Parameters
    ----------
    image
        Red, green and blue, uint8. Without a pixel size in µm it is taken as
        0.5 µm, a 20× scan.

    Raises
    ------
    UserError
        When the image is not RGB of 8 bits, or too coarse to show nuclei.
    """

    name = "stain"
    normalization: Normalization = "fixed"
    classes = ClassSchema(
        (
            SegmentationClass("background", "#d9d9d9"),
            SegmentationClass("tissue", "#f0a35e"),
            SegmentationClass("nuclei", "#3b1fa8"),
        )
    )

    def __init__(self, image: PyramidImage, sizes: StainSizes | None = None) -> None:
        self.image = image
        self.sizes = sizes or StainSizes()
        self.pixel_size = _pixel_size_um(image)
        self.thresholds = estimate_thresholds(image, self.sizes.smoothing / self.pixel_size)

    def read(self, window: Window) -> Labels:
        """Compute ``(height, width)`` classes; 255 where unsure and outside the image."""
        margin = self.sizes.margin(self.pixel_size)
        patch = self.image.read(window.expanded(margin))
        labels = self._label(patch.pixels.astype(np.uint8, copy=False))
        labels[~patch.valid] = IGNORE_INDEX
        return labels[margin:-margin, margin:-margin]

    def _label(self, pixels: NDArray[np.uint8]) -> Labels:
        sigma = self._px(self.sizes.smoothing)
        density = ndimage.gaussian_filter(optical_density(pixels), sigma, truncate=3)
        stain = ndimage.gaussian_filter(rgb2hed(pixels)[..., 0], sigma, truncate=3)
        tissue = density > self.thresholds.tissue
        solid = opening(density > self.thresholds.dense, disk(round(self._px(self.sizes.solid))))
        nuclei, unsure = self._part(stain, tissue, solid)
        labels = np.where(tissue, TISSUE, BACKGROUND).astype(np.uint8)
        labels[unsure] = IGNORE_INDEX
        labels[nuclei] = NUCLEI
        return labels

    def _part(self, stain: Stain, tissue: Mask, solid: Mask) -> tuple[Mask, Mask]:
        """Part the pixels rich in haematoxylin into nuclei, unsure ones, and the rest."""
        rich = tissue & (stain > self.thresholds.nuclei)
        reach = self._px(self.sizes.unsure)
        distance = _distance(solid, reach)
        around = _mean_within(stain, tissue, self._px(self.sizes.surroundings))
        crowded = around > 1.15 * self.thresholds.nuclei
        faint = stain - around < 0.15 * self.thresholds.nuclei
        candidates = rich & (distance > reach / 5)
        unsure = candidates & ((distance <= reach) | crowded | faint)
        found = ndimage.binary_opening(
            candidates & ~unsure, disk(round(self._px(self.sizes.speck)))
        )
        largest = int(smallest_area(self.sizes, self.pixel_size))
        return remove_small_objects(found, max_size=largest), unsure

    def _px(self, micrometres: float) -> float:
        return micrometres / self.pixel_size


def optical_density(pixels: NDArray[np.uint8]) -> Stain:
    """Sum over the bands of ``-ln`` of the transmitted light; ``(rows, cols)``, 0 to 17."""
    density: Stain = -np.log((pixels.astype(np.float64) + 1) / 256).sum(axis=2)
    return density


def estimate_thresholds(image: PyramidImage, sigma: float) -> StainThresholds:
    """Estimate a slide's thresholds from about a million pixels.

    Parameters
    ----------
    image
        Red, green and blue.
    sigma
        Gaussian over the stain amounts, in level-0 pixels.
    """
    windows = sample_windows(image.shape, side=256, count=25)
    blocks = [image.read(w).pixels.astype(np.uint8, copy=False) for w in windows]
    density = _pool([optical_density(block) for block in blocks], sigma)
    stain = _pool([rgb2hed(block)[..., 0] for block in blocks], sigma)
    tissue = 0.5 * _otsu(density)
    inside = density > tissue
    return StainThresholds(tissue, _otsu(density[inside]), 0.9 * _otsu(stain[inside]))


def sample_windows(shape: tuple[int, int], side: int, count: int) -> list[Window]:
    """Spread about ``count`` windows evenly over an image of ``(rows, cols)``."""
    steps = max(math.isqrt(count), 1)
    side = min(side, *shape)
    rows = np.linspace(0, shape[0] - side, steps).astype(int)
    cols = np.linspace(0, shape[1] - side, steps).astype(int)
    spots = sorted({(int(y), int(x)) for y in rows for x in cols})
    return [Window(y, x, side, side) for y, x in spots]


def _pool(blocks: Sequence[Stain], sigma: float) -> Stain:
    """All pixels of the smoothed blocks, in one row."""
    return np.concatenate([ndimage.gaussian_filter(b, sigma, truncate=3).ravel() for b in blocks])


def _otsu(values: Stain) -> float:
    # One value alone has no threshold: nothing is over it.
    return float(threshold_otsu(values)) if values.size and np.ptp(values) > 0 else math.inf


def _mean_within(values: Stain, mask: Mask, sigma: float) -> Stain:
    """Gaussian mean of the values in ``mask`` alone."""
    total = ndimage.gaussian_filter(np.where(mask, values, 0.0), sigma, truncate=3)
    weight = ndimage.gaussian_filter(mask.astype(np.float64), sigma, truncate=3)
    return np.divide(total, weight, out=np.zeros_like(total), where=weight > 1e-6)


def _distance(mask: Mask, limit: float) -> Stain:
    if not mask.any():
        return np.full(mask.shape, limit + 1)
    distance: Stain = ndimage.distance_transform_edt(~mask)
    return distance


def _pixel_size_um(image: PyramidImage) -> float:
    if len(image.bands) != 3 or image.dtype != np.uint8:
        raise UserError(
            f"{image.source} has {len(image.bands)} bands of {image.dtype}; "
            "stain labels need an 8-bit RGB slide."
        )
    known = image.pixel_size is not None and image.unit == "um"
    size = max(image.pixel_size) if known and image.pixel_size else 0.5
    if not 0.1 <= size <= 1.5:
        raise UserError(
            f"{image.source} has pixels of {size:g} µm; "
            "stain labels need a slide scanned at 0.1 to 1.5 µm a pixel."
        )
    return size
