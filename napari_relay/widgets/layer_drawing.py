"""What a person drew on napari's layers of shapes and points, as a figure shows it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from napari.layers import Layer, Points, Shapes
from numpy.typing import NDArray

from napari_relay.exporting.figure_drawing import FigureLine, FigurePoint, Rgba
from napari_relay.geometry import Window

OPEN_KINDS = ("line", "path")
"""Kinds of shapes that enclose nothing."""
_ELLIPSE = np.linspace(0, 2 * np.pi, 64, endpoint=False)


def outline(corners: NDArray[np.float64], kind: str) -> NDArray[np.float64]:
    """Corners ``(n, 2)`` of a shape; of an ellipse, whose box napari keeps, points along it."""
    if kind != "ellipse":
        return corners
    center = corners.mean(axis=0)
    down, across = (corners[3] - corners[0]) / 2, (corners[1] - corners[0]) / 2
    around: NDArray[np.float64] = center + np.outer(np.sin(_ELLIPSE), down)
    return around + np.outer(np.cos(_ELLIPSE), across)


def in_image(layer: Layer, base: Layer, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Places ``(n, 2)`` of a layer as level-0 ``(row, col)``; either layer may have been moved."""
    world = [layer.data_to_world(place) for place in places]
    return np.array([base.world_to_data(point)[-2:] for point in world])


def lines_of(
    layers: Iterable[Layer], base: Layer, window: Window, pixel_size: tuple[float, float]
) -> tuple[FigureLine, ...]:
    """Lines of the visible layers of shapes, bottom first.

    Parameters
    ----------
    layers
        In their order.
    base
        Layer of the image.
    window
        Level-0 pixels that the figure shows.
    pixel_size
        Height and width of a level-0 pixel, in the unit of the figure.
    """
    return tuple(
        line
        for layer in layers
        if isinstance(layer, Shapes) and layer.visible
        for line in _lines(layer, base, window, pixel_size)
    )


def points_of(
    layers: Iterable[Layer], base: Layer, window: Window, pixel_size: tuple[float, float]
) -> tuple[FigurePoint, ...]:
    """Points of the visible layers of points, bottom first; as :func:`lines_of`."""
    return tuple(
        point
        for layer in layers
        if isinstance(layer, Points) and layer.visible
        for point in _points(layer, base, window, pixel_size)
    )


def _lines(
    layer: Shapes, base: Layer, window: Window, pixel_size: tuple[float, float]
) -> Iterator[FigureLine]:
    colors = zip(layer.edge_color, layer.face_color, layer.edge_width, strict=True)
    for corners, kind, (edge, face, width) in zip(
        layer.data, layer.shape_type, colors, strict=True
    ):
        drawn = outline(np.asarray(corners, float)[:, -2:], kind)
        yield FigureLine(
            _in_figure(in_image(layer, base, drawn), window, pixel_size),
            _faded(edge, layer.opacity),
            _faded(face, layer.opacity),
            float(width) * _stretch(layer, base) * pixel_size[1],
            kind not in OPEN_KINDS,
        )


def _points(
    layer: Points, base: Layer, window: Window, pixel_size: tuple[float, float]
) -> Iterator[FigurePoint]:
    colors = zip(layer.border_color, layer.face_color, layer.size, layer.shown, strict=True)
    for place, (edge, face, size, shown) in zip(layer.data, colors, strict=True):
        if shown:
            (row, col), *_ = _in_figure(
                in_image(layer, base, place[None, -2:]), window, pixel_size
            ).tolist()
            width = float(size) * _stretch(layer, base) * pixel_size[1]
            faded = _faded(edge, layer.opacity), _faded(face, layer.opacity)
            yield FigurePoint((row, col), *faded, width)


def _in_figure(
    places: NDArray[np.float64], window: Window, pixel_size: tuple[float, float]
) -> NDArray[np.float64]:
    """From the image's pixels, whose centres are whole, to lengths from the figure's corner."""
    moved: NDArray[np.float64] = (places + 0.5 - (window.y0, window.x0)) * pixel_size
    return moved


def _stretch(layer: Layer, base: Layer) -> float:
    """Pixels of the image to a unit of the layer."""
    return float(layer.scale[-1] / base.scale[-1])


def _faded(color: NDArray[np.floating], opacity: float) -> Rgba:
    red, green, blue, alpha = (float(value) for value in color)
    return red, green, blue, alpha * float(opacity)
