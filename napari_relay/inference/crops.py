"""The two crops a relay-token model sees of one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.geometry import Window
from napari_relay.images.pyramid import Patch, PyramidImage, has_data
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


LARGEST_VALUE = 1e30
"""Values of an image beyond this count as this much: sums of them stay finite."""
LARGEST_INPUT = 1e6
"""What a model sees lies within this; no real measurement is so many spreads from the mean."""


class _Scaling(NamedTuple):
    """What turns values into a model's input: ``(value - offset) / spread``."""

    offset: NDArray[np.float32]
    """``(band,)``."""
    spread: NDArray[np.float32]
    """``(band,)``; positive."""


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
        Crops normalised band by band as :attr:`ModelMetadata.normalization` says,
        finite whatever the image holds; pixels without data are 0, which is the mean.
    """
    local = _read_crop(image, window, config.crop_size)
    if config.context_factor is None:
        return CropPair(_normalised(local, _scaling(image, local, metadata)), None, local.valid)
    wide = _read_crop(image, window.around(config.context_factor), config.crop_size)
    scaling = _scaling(image, wide, metadata)
    return CropPair(_normalised(local, scaling), _normalised(wide, scaling), local.valid)


def check_fit(image: PyramidImage, metadata: ModelMetadata) -> None:
    """Refuse an image whose bands the model does not take.

    Raises
    ------
    UserError
        When the number of bands differs.
    """
    has, takes = len(image.bands), len(metadata.bands)
    if has != takes:
        named = " + ".join(map(str, image.sources))
        raise UserError(
            f"{named} has {has} {_plural(has)} ({', '.join(image.bands)}) but the model "
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
    with_data = _with_data(image, patch, rows, cols, image.levels[level].shape)
    values, counted = resample(_as_float(patch.pixels), with_data, rows, cols)
    if with_data is patch.valid:
        return _Crop(values, counted, counted)
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


def _with_data(
    image: PyramidImage, patch: Patch, rows: Span, cols: Span, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Which pixels count: valid ones, and reflections of pixels with data."""
    if patch.valid.all():
        return patch.valid
    down, across = (
        (span.first + np.arange(span.length) >= 0) & (span.first + np.arange(span.length) < size)
        for span, size in zip((rows, cols), shape, strict=False)
    )
    outside = ~(down[:, None] & across[None, :])
    return patch.valid | (outside & has_data(patch.pixels, image.nodata))


def _as_float(pixels: NDArray[np.generic]) -> NDArray[np.float32]:
    """Values in single precision, none of them infinite."""
    if pixels.dtype.kind == "f":
        pixels = np.clip(pixels, -LARGEST_VALUE, LARGEST_VALUE)
    return pixels.astype(np.float32, copy=False)


def _scaling(image: PyramidImage, context: _Crop, metadata: ModelMetadata) -> _Scaling:
    """How each band is normalised at one place."""
    modes = np.array(metadata.band_normalization)
    mean, std = np.array(metadata.mean), np.array(metadata.std)
    if "image" in modes:
        mean, std = (
            np.where(modes == "image", own, given)
            for own, given in zip(image.statistics, (mean, std), strict=True)
        )
    if "local" in modes:
        mean = np.where(modes == "local", _local_mean(context, mean), mean)
    least = np.finfo(np.float32).tiny
    return _Scaling(
        np.clip(mean, -LARGEST_VALUE, LARGEST_VALUE).astype(np.float32),
        np.clip(std, least, LARGEST_VALUE).astype(np.float32),
    )


def _local_mean(context: _Crop, default: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean ``(band,)`` of the valid pixels, of those with data, or the default."""
    counted = context.valid if context.valid.any() else context.has_data
    if not counted.any():
        return default
    pixels = context.pixels
    values = pixels.reshape(-1, pixels.shape[2]) if counted.all() else pixels[counted]
    mean: NDArray[np.float64] = values.mean(axis=0, dtype=np.float64)
    return mean


def _normalised(crop: _Crop, scaling: _Scaling) -> NDArray[np.float32]:
    """``(band, crop, crop)``; 0 where there is no data."""
    with np.errstate(over="ignore"):
        scaled = (crop.pixels - scaling.offset) / scaling.spread
    np.clip(scaled, -LARGEST_INPUT, LARGEST_INPUT, out=scaled)
    scaled[~crop.has_data] = 0
    return np.ascontiguousarray(scaled.transpose(2, 0, 1), dtype=np.float32)
