"""The mean of 2 × 2 pixels, of those alone that have data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.pyramid import has_data

WIDER: dict[np.dtype[np.generic], np.dtype[np.generic]] = {
    np.dtype(f"{kind}{size}"): np.dtype(f"{kind}{2 * size}") for kind in "iu" for size in (1, 2, 4)
}
"""Integer types, and those that can hold a sum of four of their values."""


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
    if nodata is not None or pixels.dtype.kind == "f":
        valid = has_data(pixels, nodata)
        if not valid.all():
            return _mean_of_valid(_corners(pixels), _corners(valid), pixels.dtype, nodata)
    if pixels.dtype in WIDER:
        return _narrow_integer_mean(_even(pixels))
    if np.issubdtype(pixels.dtype, np.integer):
        return _integer_mean(_corners(pixels))
    total = sum(corner.astype(np.float64) for corner in _corners(pixels))
    return np.asarray(total / 4).astype(pixels.dtype)


def _corners(pixels: NDArray[np.generic]) -> list[NDArray[np.generic]]:
    """The four pixels of every 2 × 2, each as an array."""
    even = _even(pixels)
    return [even[row::2, col::2] for row in (0, 1) for col in (0, 1)]


def _even(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Pixels with an odd edge's last row and column twice, which leaves its mean as it is."""
    odd = [(0, size % 2) for size in pixels.shape[:2]]
    if odd == [(0, 0), (0, 0)]:
        return pixels
    return np.pad(pixels, [*odd, *[(0, 0)] * (pixels.ndim - 2)], mode="edge")


def _narrow_integer_mean(pixels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Mean in a type with room for the sum; rows first, which lie in one piece."""
    wider = WIDER[pixels.dtype]
    rows: NDArray[np.integer] = np.add(pixels[::2], pixels[1::2], dtype=wider)
    total = rows[:, ::2] + rows[:, 1::2]
    total += 2
    total >>= 2
    return np.asarray(total.astype(pixels.dtype))


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
