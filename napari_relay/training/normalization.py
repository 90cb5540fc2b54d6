"""Mean and spread of an image's bands, from a sample of its windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from napari_relay.geometry import Window
from napari_relay.images.band_statistics import BandStatistics, positive_std
from napari_relay.images.pyramid import PyramidImage
from relay_tokens import Normalization, UserError


def estimate_normalization(
    image: PyramidImage, windows: Sequence[Window], normalization: Normalization = "fixed"
) -> BandStatistics:
    """Estimate mean and standard deviation of every band over valid pixels.

    Parameters
    ----------
    image
        Read at the level where a window is about 256 pixels wide.
    windows
        Where to look, level-0 pixels. With ``normalization="local"`` the spread
        is measured around each window's own mean: take windows as wide as the
        features, or their relief is lost beside that of the hills.
    normalization
        One of the words in the model's metadata, for all bands.

    Raises
    ------
    UserError
        When no window shows a pixel with data.
    """
    offsets, spreads = [], []
    for window in windows:
        level = image.level_for(max(window.width / 256, 1))
        patch = image.read(window, level)
        pixels = patch.pixels[patch.valid].astype(np.float64)
        if len(pixels):
            offsets.append(pixels.mean(axis=0))
            spreads.append(pixels.var(axis=0))
    if not offsets:
        raise UserError(f"{image.source} has no pixel with data where it was to be learnt from.")
    variance = np.mean(spreads, axis=0)
    if normalization != "local":
        variance = variance + np.var(offsets, axis=0)
    return BandStatistics(tuple(np.mean(offsets, axis=0).tolist()), positive_std(variance))
