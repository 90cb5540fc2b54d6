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

LayerData = tuple[list[da.Array] | da.Array, dict[str, Any], str]


def image_layer_data(image: PyramidImage, limits: tuple[float, float] | None = None) -> LayerData:
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
    bands = _color_bands(image.bands) if rgb else [0]
    levels = [level[..., bands] for level in image.levels]
    limits = limits or _contrast(image, bands)
    if rgb:
        levels = [_as_bytes(level, limits) for level in levels]
    else:
        levels = [level[..., 0] for level in levels]
    arguments: dict[str, Any] = {
        "name": image.source.stem,
        "rgb": rgb,
        "multiscale": len(levels) > 1,
        "metadata": {METADATA_KEY: image},
        "cache": False,
        **placement(image),
    }
    if not rgb:
        arguments |= {"contrast_limits": limits, "colormap": "gray"}
    padded = _pad_alike(levels, image.factors)
    return (padded if len(padded) > 1 else padded[0]), arguments, "image"


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


def _contrast(image: PyramidImage, bands: Sequence[int]) -> tuple[float, float]:
    if image.dtype == np.uint8:
        return _PHOTOGRAPH
    last = len(image.levels) - 1
    patch = image.read(image.window, last)
    values = patch.pixels[patch.valid][:, bands]
    if not values.size:
        return 0.0, 1.0
    if len(bands) == 3 and values.min() >= 0 and 128 < values.max() <= 255:
        return _PHOTOGRAPH  # of 8 bits, and float only for the sake of an elevation beside it
    low, high = (float(v) for v in np.percentile(values.astype(float), _STRETCH))
    return (low, high) if high > low else (low, low + 1)


def _as_bytes(level: da.Array, limits: tuple[float, float]) -> da.Array:
    """Colours as napari shows them: ``uint8``, stretched between ``limits``."""
    if level.dtype == np.uint8:
        return level
    low, high = limits

    def stretch(block: NDArray[Any]) -> NDArray[np.uint8]:
        scaled = np.nan_to_num((block.astype(np.float32) - low) / (high - low))
        return np.asarray((scaled.clip(0, 1) * 255), dtype=np.uint8)

    return cast(da.Array, da.map_blocks(stretch, level, dtype=np.uint8))


def _pad_alike(levels: list[da.Array], factors: Sequence[float]) -> list[da.Array]:
    """Pad the levels so that each is exactly its factor smaller than level 0.

    napari stretches every level over the extent of level 0; levels with a
    broken pixel at the edge would be off by up to a coarse pixel.
    """
    if any(factor != round(factor) for factor in factors):
        return levels
    step = math.lcm(*(round(factor) for factor in factors))
    full = [math.ceil(side / step) * step for side in levels[0].shape[:2]]
    return [
        _pad(level, [side // round(f) for side in full])
        for level, f in zip(levels, factors, strict=True)
    ]


def _pad(level: da.Array, sides: Sequence[int]) -> da.Array:
    missing = [max(side - have, 0) for side, have in zip(sides, level.shape[:2], strict=True)]
    width = [(0, m) for m in missing] + [(0, 0)] * (level.ndim - 2)
    padded = cast(da.Array, da.pad(level, width) if any(missing) else level)
    return cast(da.Array, padded[: sides[0], : sides[1]])
