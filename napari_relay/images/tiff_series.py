"""The images of a TIFF file with all their axes, in either of tifffile's ways to say them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import tifffile
import zarr

# tifffile 2026.5.2 replaced a series that could be asked for either shape by two series.


def all_series(tif: tifffile.TiffFile) -> Sequence[tifffile.TiffPageSeries]:
    """The images of a file; axes of length 1 are kept where tifffile can."""
    series: Sequence[tifffile.TiffPageSeries] = tif.series
    return series(squeeze=False) if callable(series) else series


def stored_axes(level: tifffile.TiffPageSeries) -> str:
    """Letters of all axes, such as ``YXS``, those of length 1 among them."""
    axes: str = level.get_axes(False) if hasattr(level, "get_axes") else level.axes
    return axes


def stored_shape(level: tifffile.TiffPageSeries) -> tuple[int, ...]:
    """Lengths of all axes, 1 among them."""
    shape: tuple[int, ...]
    shape = level.get_shape(False) if hasattr(level, "get_shape") else level.shape
    return shape


def open_decoded(series: tifffile.TiffPageSeries, number: int) -> zarr.Array[Any]:
    """Open level ``number`` of an image, which decodes what is read; all axes."""
    whole = {"squeeze": False} if hasattr(series, "get_axes") else {}
    return zarr.open_array(series.aszarr(level=number, **whole), mode="r")
