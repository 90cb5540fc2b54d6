"""The two crops a relay-token model sees of one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage, has_data
from napari_relay.inference.resampling import Span, resample
from relay_tokens.config import RelayConfig
from relay_tokens.errors import UserError
from relay_tokens.metadata import ModelMetadata


@dataclass(frozen=True)
class CropPair:
    """One place at two scales, normalised as the model was trained."""

    local: NDArray[np.float32]
    """``(band, crop, crop)`` at the window's own resolution."""
    global_: NDArray[np.float32] | None
    """``(band, crop, crop)`` over the window ``context_factor`` times wider; None
    for a single-scale model."""
    valid: NDArray[np.bool_]
    """``(crop, crop)`` of the local crop: inside the image and not nodata."""


class _Crop(NamedTuple):
    """A crop in the image's own values."""

    pixels: NDArray[np.float32]
    """``(crop, crop, band)``; 0 where there is no data."""
    has_data: NDArray[np.bool_]
    """``(crop, crop)``: not nodata, reflected pixels outside the image included."""
    valid: NDArray[np.bool_]
    """``(crop, crop)``: has data and lies inside the image."""


def read_crop_pair(
    image: PyramidImage, window: Window, config: RelayConfig, metadata: ModelMetadata
) -> CropPair:
    """Read what a model sees of a window.

    The global crop covers ``window.around(context_factor)`` and is read from
    the coarsest level that is fine enough, never by averaging full resolution
    when there is such a level. Where level and crop do not coincide, every
    crop pixel is the mean of the level's area under it.

    Parameters
    ----------
    image
        The image; parts of the windows outside it are reflections of it.
    window
        Level-0 pixels. With ``crop_size`` rows and columns the local crop is
        the pixels themselves; another size is resampled.
    config, metadata
        The model's.

    Returns
    -------
    CropPair
        Normalised crops; pixels without data are 0, which is the mean.
    """
    local = _read_crop(image, window, config.crop_size)
    if config.context_factor is None:
        offset = _offset(local, metadata)
        return CropPair(_normalised(local, offset, metadata), None, local.valid)
    wide = _read_crop(image, window.around(config.context_factor), config.crop_size)
    offset = _offset(wide, metadata)
    return CropPair(
        _normalised(local, offset, metadata), _normalised(wide, offset, metadata), local.valid
    )


def check_fit(image: PyramidImage, metadata: ModelMetadata) -> None:
    """Refuse an image whose bands the model does not take.

    Raises
    ------
    UserError
        When the number of bands differs.
    """
    has, takes = len(image.bands), len(metadata.bands)
    if has != takes:
        raise UserError(
            f"{image.source} has {has} {_plural(has)} ({', '.join(image.bands)}) but the model "
            f"{metadata.name} takes {takes} ({', '.join(metadata.bands)}); choose a model for "
            f"{has} {_plural(has)}: `napari-relay models` lists them."
        )


def _plural(count: int) -> str:
    return "band" if count == 1 else "bands"


def _read_crop(image: PyramidImage, window: Window, size: int) -> _Crop:
    scale = min(window.height, window.width) / size
    level = image.level_for(max(scale, 1))
    factor = image.factors[level]
    rows = Span(window.y0 / factor, window.height / size / factor, size)
    cols = Span(window.x0 / factor, window.width / size / factor, size)
    patch = image.read(_level0_window(rows, cols, factor), level)
    with_data = has_data(patch.pixels, image.nodata)
    values, counted = resample(patch.pixels.astype(np.float32), with_data, rows, cols)
    _, valid = resample(patch.valid[..., None].astype(np.float32), patch.valid, rows, cols)
    return _Crop(values, counted, valid)


def _level0_window(rows: Span, cols: Span, factor: float) -> Window:
    """The window that :meth:`PyramidImage.read` turns into just these spans.

    Rounding to whole level-0 pixels moves an edge by at most half of one, less
    than half a pixel of the level, so ``read`` rounds back to the same pixels.
    """
    return Window(
        round(rows.first * factor),
        round(cols.first * factor),
        round(rows.length * factor),
        round(cols.length * factor),
    )


def _offset(context: _Crop, metadata: ModelMetadata) -> NDArray[np.float32]:
    """What is subtracted from each band."""
    counted = context.valid if context.valid.any() else context.has_data
    if metadata.normalization == "fixed" or not counted.any():
        return np.asarray(metadata.mean, dtype=np.float32)
    mean: NDArray[np.float64] = context.pixels[counted].mean(axis=0, dtype=np.float64)
    return mean.astype(np.float32)


def _normalised(
    crop: _Crop, offset: NDArray[np.float32], metadata: ModelMetadata
) -> NDArray[np.float32]:
    """``(band, crop, crop)``; 0 where there is no data."""
    scaled = (crop.pixels - offset) / np.asarray(metadata.std, dtype=np.float32)
    scaled[~crop.has_data] = 0
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32)
