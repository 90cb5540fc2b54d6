"""What a layer shows, taken down on the main thread and drawn in a worker."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import dask.array as da
import numpy as np
from napari.layers import Image, Labels, Layer
from numpy.typing import NDArray
from scipy import ndimage

from napari_relay.geometry import Window

_SHADES = 1024

Light = NDArray[np.floating]
"""Red, green and blue ``(rows, cols, 3)``, or how much of them counts."""
Coloring = Callable[[NDArray[Any]], NDArray[np.floating]]
"""Values of a layer ``(rows, cols, ...)`` to colours ``(rows, cols, 4)`` in [0, 1]."""


@dataclass(frozen=True)
class LayerPicture:
    """A visible image or labels layer as it was at one moment."""

    levels: tuple[Any, ...]
    """Arrays ``(y, x, ...)``, full resolution first."""
    factors: tuple[tuple[float, float], ...]
    """Pixels of the first level a pixel of each, ``(row, col)``."""
    matrix: NDArray[np.float64]
    """``(2, 3)``: from level-0 ``(row, col, 1)`` of the image to the layer's own pixels."""
    coloring: Coloring
    """How values become colours."""
    opacity: float
    """Of the whole layer, in [0, 1]."""
    blending: str
    """How it covers what is below, as napari calls it."""

    def draw(self, window: Window, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """What the layer shows of a window of the image.

        Parameters
        ----------
        window
            Level-0 pixels of the image.
        shape
            Rows and columns of the picture, which the window fills.

        Returns
        -------
        NDArray[np.uint8]
            ``(rows, cols, 4)``, red to alpha; clear where the layer has nothing.
        """
        level = self._level(window, shape)
        rows, cols = self._pixels(window, shape, level)
        array = self.levels[level]
        inside = (rows >= 0) & (rows < array.shape[0]) & (cols >= 0) & (cols < array.shape[1])
        if not inside.any():
            return np.zeros((*shape, 4), np.uint8)
        y, x = _clipped(rows, rows[inside]), _clipped(cols, cols[inside])
        slab = array[y.min() : y.max() + 1, x.min() : x.max() + 1]
        if isinstance(slab, da.Array):
            slab = slab.compute(scheduler="synchronous")
        colors = self.coloring(np.asarray(slab)[y - y.min(), x - x.min()])
        colors[..., 3] *= self.opacity * inside
        return np.asarray(np.rint(colors * 255), dtype=np.uint8)

    def _level(self, window: Window, shape: tuple[int, int]) -> int:
        """The coarsest level that is no coarser than the picture."""
        step = np.abs(self.matrix[:, :2]).sum(axis=1) * (window.height / shape[0])
        fine = [k for k, f in enumerate(self.factors) if max(f / step) <= 1.001]
        return max(fine, default=0)

    def _pixels(
        self, window: Window, shape: tuple[int, int], level: int
    ) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Row and column in a level, of each pixel of the picture."""
        i, j = np.meshgrid(*map(np.arange, shape), indexing="ij")
        row = window.y0 - 0.5 + (i + 0.5) * (window.height / shape[0])
        col = window.x0 - 0.5 + (j + 0.5) * (window.width / shape[1])
        y, x = (line[0] * row + line[1] * col + line[2] for line in self.matrix)
        rows, cols = (
            np.floor((place + 0.5) / factor).astype(np.intp)
            for place, factor in zip((y, x), self.factors[level], strict=True)
        )
        return rows, cols


def pictures_of(layers: Iterable[Layer], base: Layer) -> list[LayerPicture]:
    """Take down what the visible images and labels among ``layers`` show, in their order."""
    return [
        LayerPicture(
            tuple(layer.data) if layer.multiscale else (layer.data,),
            tuple((float(f[0]), float(f[1])) for f in layer.downsample_factors),
            _matrix(base, layer),
            _image_coloring(layer) if isinstance(layer, Image) else _label_coloring(layer),
            float(layer.opacity),
            str(layer.blending),
        )
        for layer in layers
        if isinstance(layer, Image | Labels) and layer.visible and layer.ndim == 2
    ]


def flattened(
    pictures: Sequence[LayerPicture], window: Window, shape: tuple[int, int]
) -> NDArray[np.uint8]:
    """Pictures, bottom first, over black: ``(rows, cols, 3)``; see :meth:`LayerPicture.draw`."""
    total = np.zeros((*shape, 3), np.float32)
    for picture in pictures:
        drawn = picture.draw(window, shape)
        alpha, light = drawn[..., 3:] / np.float32(255), drawn[..., :3].astype(np.float32)
        mixed = _MIXED.get(picture.blending, _translucent)
        total = mixed(total, light, alpha)
    return np.asarray(np.rint(np.clip(total, 0, 255)), dtype=np.uint8)


def _translucent(below: Light, light: Light, alpha: Light) -> Light:
    return below * (1 - alpha) + light * alpha


def _additive(below: Light, light: Light, alpha: Light) -> Light:
    return below + light * alpha


def _opaque_over(below: Light, light: Light, alpha: Light) -> Light:
    return np.where(alpha > 0, light, below)


_MIXED = {"additive": _additive, "opaque": _opaque_over}
"""How napari calls the ways in which layers cover what is below them; else translucent."""


def _clipped(line: NDArray[np.intp], known: NDArray[np.intp]) -> NDArray[np.intp]:
    return np.clip(line, known.min(), known.max())


def _matrix(base: Layer, layer: Layer) -> NDArray[np.float64]:
    origin, down, right = (
        np.asarray(layer.world_to_data(base.data_to_world(place)))[-2:]
        for place in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0))
    )
    return np.column_stack([down - origin, right - origin, origin])


def _image_coloring(layer: Image) -> Coloring:
    if layer.rgb:
        return _opaque
    low, high = (float(limit) for limit in layer.contrast_limits)
    gamma = float(layer.gamma)
    shades = layer.colormap.map(np.linspace(0, 1, _SHADES))
    outside = layer.colormap.map(np.array([-1.0, 2.0, np.nan]))

    def color(values: NDArray[Any]) -> NDArray[np.floating]:
        share = (values.astype(np.float32) - low) / (high - low)
        missing = np.isnan(share)
        inside = np.clip(np.where(missing, 0, share), 0, 1) ** gamma
        colors = shades[np.rint(inside * (_SHADES - 1)).astype(np.intp)]
        for where, other in zip((share < 0, share > 1, missing), outside, strict=True):
            colors[where] = other
        return np.asarray(colors)

    return color


def _opaque(values: NDArray[Any]) -> NDArray[np.floating]:
    """Red, green and blue, of 8 bits or in [0, 1]; alpha where there is one."""
    scale = 255 if np.issubdtype(values.dtype, np.integer) else 1
    colors = np.ones((*values.shape[:2], 4), dtype=np.float32)
    colors[..., : values.shape[2]] = np.clip(values / scale, 0, 1)
    return colors


def _label_coloring(layer: Labels) -> Coloring:
    colormap, contour = layer.colormap, int(layer.contour)

    def color(values: NDArray[Any]) -> NDArray[np.floating]:
        colors = np.asarray(colormap.map(values)).astype(np.float32)
        if contour:
            size = 2 * contour + 1
            low, high = ndimage.minimum_filter(values, size), ndimage.maximum_filter(values, size)
            colors[low == high, 3] = 0
        return colors

    return color
