"""The mean of 2 × 2 pixels, of those alone that have data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.pyramid import has_data


def halve(pixels: NDArray[np.generic], nodata: float | None = None) -> NDArray[np.generic]:
    """Mean of each 2 × 2 pixels; at an odd edge, of the pixels there are.

    Parameters
    ----------
    pixels
        ``(rows, cols, band)``, integers or floats.
    nodata
        Value of a pixel without data; such pixels, and those that are not
        finite, are left out of the mean.

    Returns
    -------
    NDArray[np.generic]
        ``(ceil(rows / 2), ceil(cols / 2), band)`` in the same data type.
        Integers are rounded to the nearest, halves upwards. Where none of the
        pixels has data the result is ``nodata``, or NaN.
    """
    valid = has_data(pixels, nodata)
    corners = _corners(pixels)
    if not valid.all():
        return _mean_of_valid(corners, _corners(valid), pixels.dtype, nodata)
    if np.issubdtype(pixels.dtype, np.integer):
        return _integer_mean(corners)
    total = sum(corner.astype(np.float64) for corner in corners)
    return np.asarray(total / 4).astype(pixels.dtype)


def _corners(pixels: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    """The four pixels of every 2 × 2, each as an array.

    Repeating the last row and column leaves the mean of an odd edge as it is.
    """
    odd = [(0, size % 2) for size in pixels.shape[:2]]
    even = np.pad(pixels, [*odd, *[(0, 0)] * (pixels.ndim - 2)], mode="edge")
    return [even[row::2, col::2] for row in (0, 1) for col in (0, 1)]


def _integer_mean(corners: list[NDArray[np.generic]]) -> NDArray[np.generic]:
    """Exact without a wider type: quarters and remainders are summed apart."""
    first = corners[0]
    quarters, rest = np.zeros_like(first), np.full_like(first, 2)
    for corner in corners:
        quarters += corner >> 2  # type: ignore[operator]
        rest += corner & 3  # type: ignore[operator]
    return np.asarray(quarters + (rest >> 2))


def _mean_of_valid(
    corners: list[NDArray[np.generic]],
    valid: list[NDArray[np.generic]],
    dtype: np.dtype[np.generic],
    nodata: float | None,
) -> NDArray[np.generic]:
    """Mean over the corners that are valid, else ``nodata``."""
    count = np.asarray(sum(v.astype(np.uint8) for v in valid))[..., None]
    total = np.zeros(corners[0].shape, np.float64)
    for corner, keep in zip(corners, valid, strict=True):
        total += np.where(keep[..., None], corner.astype(np.float64), 0.0)
    mean = total / np.maximum(count, 1)
    if np.issubdtype(dtype, np.integer):
        mean = np.floor(mean + 0.5)
    empty = np.array(np.nan if nodata is None else nodata).astype(dtype)
    return np.where(count > 0, mean.astype(dtype), empty)
