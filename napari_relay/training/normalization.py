"""Mean and spread of the bands of images, from a sample of their windows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.band_statistics import BandStatistics, positive_std
from napari_relay.images.pyramid import PyramidImage
from relay_tokens import Normalization, UserError


def estimate_normalization(
    places: Iterable[tuple[PyramidImage, Sequence[Window]]],
    normalization: Normalization = "fixed",
) -> BandStatistics:
    """Estimate mean and standard deviation of every band over valid pixels.

    Parameters
    ----------
    places
        Images, read at the level where a window is about 256 pixels wide, and
        where to look in each, level-0 pixels. With ``normalization="local"`` the
        spread is measured around each window's own mean: take windows as wide as
        the features, or their relief is lost beside that of the hills.
    normalization
        One of the words in the model's metadata, for all bands.

    Raises
    ------
    UserError
        When no window shows a pixel with data.
    """
    offsets, spreads, names = [], [], []
    for image, windows in places:
        names.append(str(image.source))
        for window in windows:
            pixels = _pixels(image, window)
            if len(pixels):
                offsets.append(pixels.mean(axis=0))
                spreads.append(pixels.var(axis=0))
    if not offsets:
        named = ", ".join(names[:3])
        raise UserError(f"{named} has no pixel with data where it was to be learnt from.")
    variance = np.mean(spreads, axis=0)
    if normalization != "local":
        variance = variance + np.var(offsets, axis=0)
    return BandStatistics(tuple(np.mean(offsets, axis=0).tolist()), positive_std(variance))


def _pixels(image: PyramidImage, window: Window) -> NDArray[np.float64]:
    """Valid pixels ``(pixel, band)`` of a window, at most about 256 a side."""
    patch = image.read(window, image.level_for(max(window.width / 256, 1)))
    return patch.pixels[patch.valid].astype(np.float64)
