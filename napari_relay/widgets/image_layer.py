"""How an image is shown as a napari layer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, cast

import dask.array as da
import numpy as np
from napari.layers import Image, Layer
from numpy.typing import NDArray

from napari_relay.images import PyramidImage

METADATA_KEY = "napari-relay"
"""Key of a layer's metadata under which its :class:`PyramidImage` is found."""

UNIT_NAMES = {"um": "micrometer", "m": "meter"}
"""Units of an image as napari names them."""

_STRETCH = (2.0, 98.0)
"""Percentiles of the coarsest level that become black and white."""

_PHOTOGRAPH = (0.0, 255.0)
"""What is black and white in a photograph of 8 bits."""

Limits = tuple[float, float]
"""Values that become black and white."""

LayerData = tuple[list[da.Array] | da.Array, dict[str, Any], str]


def image_layer_data(image: PyramidImage, limits: Limits | None = None) -> LayerData:
    """Describe the layer that shows ``image``, as a napari reader returns it.

    Three bands or more are shown as red, green and blue; fewer as grey, from
    the first band. Nothing is read but the coarsest level, and that only
    without ``limits``.

    Parameters
    ----------
    image
        What is shown.
    limits
        Values that become black and white; None: 0 and 255 of a photograph,
        else nearly the lowest and the highest of the coarsest level.
    """
    rgb = shows_colors(image)
    bands = shown_bands(image)
    limits = limits or default_limits(image, bands)
    arguments: dict[str, Any] = {
        "name": image.source.stem,
        "rgb": rgb,
        "multiscale": len(image.levels) > 1,
        "metadata": {METADATA_KEY: image},
        "cache": False,
        **placement(image),
    }
    if not rgb:
        arguments |= {"contrast_limits": limits, "colormap": "gray"}
    return band_levels(image, bands, [limits] * len(bands)), arguments, "image"


def band_levels(
    image: PyramidImage, bands: Sequence[int], limits: Sequence[Limits]
) -> list[da.Array] | da.Array:
    """What a layer that shows some bands of an image holds.

    Parameters
    ----------
    image
        What is shown.
    bands
        Indices of the bands that are red, green and blue, one thrice for grey;
        or of the single band of a layer without colours.
    limits
        Of each band, the values that become black and white; a layer without
        colours has them as its own ``contrast_limits``.

    Returns
    -------
    list of dask.array.Array
        Levels ``(y, x, 3)``, ``uint8``, or ``(y, x)``; of a single level the array alone.
    """
    levels = [level[..., list(bands)] for level in image.levels]
    if len(bands) == 3:
        levels = [_as_bytes(level, limits) for level in levels]
    else:
        levels = [level[..., 0] for level in levels]
    padded = pad_alike(levels, image.factors)
    return padded if len(padded) > 1 else padded[0]


def shown_bands(image: PyramidImage) -> list[int]:
    """Indices of the bands that an image is first shown by: three for colours, or one."""
    return _color_bands(image.bands) if shows_colors(image) else [0]


def shows_colors(image: PyramidImage) -> bool:
    """Whether an image is shown as red, green and blue."""
    return len(image.bands) >= 3


def placement(image: PyramidImage) -> dict[str, Any]:
    """Scale and units of a layer whose pixels are the image's level-0 pixels.

    The frame is the image's own, with the origin at its first pixel: map
    coordinates would lose their decimals in the graphics card's float32.
    """
    if image.pixel_size is None or image.unit not in {"um", "m"}:
        return {"scale": (1.0, 1.0), "units": ("pixel", "pixel")}
    return {"scale": image.pixel_size, "units": (image.unit, image.unit)}


def placement_of(layer: Layer) -> dict[str, Any]:
    """Scale and units of a layer over another one, of the same pixels."""
    return {"scale": tuple(layer.scale[-2:]), "units": tuple(layer.units[-2:])}


def in_viewer(arguments: dict[str, Any], layers: Iterable[Layer]) -> dict[str, Any]:
    """Describe a layer so that it can be shown together with others.

    Where they are in another unit it has none: to show metres beside micrometres
    napari counts micrometres, more than its sliders can.
    """
    taken = {unit for layer in layers for unit in map(str, layer.units)} - {"pixel"}
    names = {UNIT_NAMES.get(unit, unit) for unit in arguments["units"]} - {"pixel"}
    if not taken or not names or taken == names:
        return arguments
    return {**arguments, "units": ("pixel", "pixel")}


def pyramid_of(layer: Layer | None) -> PyramidImage | None:
    """The image that a layer shows, if it was opened by napari-relay."""
    image = layer.metadata.get(METADATA_KEY) if isinstance(layer, Image) else None
    return image if isinstance(image, PyramidImage) else None


def _color_bands(names: Sequence[str]) -> list[int]:
    lower = [name.lower() for name in names]
    wanted = ("red", "green", "blue")
    return [lower.index(c) for c in wanted] if set(wanted) <= set(lower) else [0, 1, 2]


def usual_contrast(image: PyramidImage, bands: Sequence[int]) -> tuple[float, float]:
    """Percentages of the pixels that :func:`default_limits` of some bands stand for."""
    return (0.0, 100.0) if default_limits(image, bands) == _PHOTOGRAPH else _STRETCH


def percentile_limits(image: PyramidImage, band: int, low: float, high: float) -> Limits:
    """Values of a band between which it is stretched.

    Parameters
    ----------
    image
        What is shown; its coarsest level is read.
    band
        Index of the band.
    low, high
        Percentages, 0 to 100, of the pixels that become black at most, and that
        do not become white at least.
    """
    last = len(image.levels) - 1
    patch = image.read(image.window, last)
    return _stretch(patch.pixels[..., band][patch.valid], (low, high))


def default_limits(image: PyramidImage, bands: Sequence[int]) -> Limits:
    """Values between which bands are stretched together when an image is opened.

    Parameters
    ----------
    image
        What is shown; its coarsest level is read unless it is of 8 bits.
    bands
        Indices of the bands.
    """
    if image.dtype == np.uint8:
        return _PHOTOGRAPH
    last = len(image.levels) - 1
    patch = image.read(image.window, last)
    values = patch.pixels[patch.valid][:, bands]
    if len(bands) == 3 and values.size and values.min() >= 0 and 128 < values.max() <= 255:
        return _PHOTOGRAPH  # of 8 bits, and float only for the sake of an elevation beside it
    return _stretch(values, _STRETCH)


def _stretch(values: NDArray[Any], percentages: tuple[float, float]) -> Limits:
    known = values[np.isfinite(values)].astype(float)
    if not known.size:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(known, percentages))
    return (low, high) if high > low else (low, low + 1)


def _as_bytes(level: da.Array, limits: Sequence[Limits]) -> da.Array:
    """Colours as napari shows them: ``uint8``, each band stretched between its limits."""
    if level.dtype == np.uint8 and all(pair == _PHOTOGRAPH for pair in limits):
        return level
    low, high = np.asarray(limits, np.float32).T

    def stretch(block: NDArray[Any]) -> NDArray[np.uint8]:
        scaled = np.nan_to_num((block.astype(np.float32) - low) / (high - low))
        return np.asarray((scaled.clip(0, 1) * 255), dtype=np.uint8)

    return cast(da.Array, da.map_blocks(stretch, level, dtype=np.uint8))


def pad_alike(levels: list[da.Array], factors: Sequence[float], fill: float = 0) -> list[da.Array]:
    """Pad the levels so that each is exactly its factor smaller than level 0.

    napari stretches every level over the extent of level 0; levels with a
    broken pixel at the edge would be off by up to a coarse pixel.

    Parameters
    ----------
    levels
        ``(y, x, ...)``.
    factors
        Level-0 pixels a pixel of each.
    fill
        Value of the pixels that are added.
    """
    if any(factor != round(factor) for factor in factors):
        return levels
    step = math.lcm(*(round(factor) for factor in factors))
    full = [math.ceil(side / step) * step for side in levels[0].shape[:2]]
    return [
        _pad(level, [side // round(f) for side in full], fill)
        for level, f in zip(levels, factors, strict=True)
    ]


def _pad(level: da.Array, sides: Sequence[int], fill: float) -> da.Array:
    missing = [max(side - have, 0) for side, have in zip(sides, level.shape[:2], strict=True)]
    width = [(0, m) for m in missing] + [(0, 0)] * (level.ndim - 2)
    padded = cast(da.Array, da.pad(level, width, constant_values=fill) if any(missing) else level)
    return cast(da.Array, padded[: sides[0], : sides[1]])
