"""How a mask of valid pixels becomes a value that stands for no data."""

from __future__ import annotations

import math

import numpy as np

from napari_relay.images.source import fitting_nodata


def blank_value(dtype: np.dtype[np.generic], nodata: float | None) -> float:
    """Value that the pixels outside a mask get.

    The file's own nodata value, else NaN, the least value of signed integers,
    or 0 of unsigned ones, where a truly black pixel then has no data either.
    """
    known = fitting_nodata(nodata, dtype)
    if known is not None:
        return known
    if dtype.kind == "f":
        return math.nan
    return float(np.iinfo(dtype.str).min)


def nodata_of(blank: float) -> float | None:
    """Nodata value of an image whose masked pixels are ``blank``; NaN needs none."""
    return None if math.isnan(blank) else blank
