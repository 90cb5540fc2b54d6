"""What a viewer shows of an image, made ready for a figure."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from napari.layers import Image
from napari.viewer import Viewer

from napari_relay import __version__
from napari_relay.exporting.figure import FigureBar, FigureContent
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.session import Session
from napari_relay.widgets.attention_words import in_words
from napari_relay.widgets.layer_drawing import lines_of, points_of
from napari_relay.widgets.layer_picture import LayerPicture, flattened, pictures_of
from napari_relay.widgets.score_overlay import SCORES
from napari_relay.widgets.session_layers import SessionLayers
from napari_relay.widgets.viewport import visible_window

_LONGEST = 2000
"""Most pixels on a side of a figure's image."""
_SHORTEST = 1000
"""Enough for the overlays of a small window to be told from squares."""

_NOTHING = np.zeros((1, 1, 3), np.uint8)


@dataclass(frozen=True)
class ShownFigure:
    """A view, taken down on the main thread; :meth:`content` may be made in a worker."""

    window: Window
    """Level-0 pixels that are in view."""
    pictures: tuple[LayerPicture, ...]
    """The visible layers, bottom first."""
    blank: FigureContent
    """All but the pictures."""

    def content(self) -> FigureContent:
        """The view with its pictures drawn."""
        longest = max(self.window.height, self.window.width)
        scale = min(max(longest, _SHORTEST), _LONGEST) / longest
        shape = (
            max(round(self.window.height * scale), 1),
            max(round(self.window.width * scale), 1),
        )
        return replace(self.blank, picture=flattened(self.pictures, self.window, shape))


def shown_figure(viewer: Viewer, layers: SessionLayers) -> ShownFigure | None:
    """Take down what is in view; None when the image is not."""
    image = layers.session.image
    window = visible_window(viewer, layers.base).intersection(image.window)
    if not window.area:
        return None
    pixel_size, unit = _unit(image)
    size = window.height * pixel_size[0], window.width * pixel_size[1]
    session = layers.session
    classes: tuple[tuple[str, str], ...] = ()
    if layers.prediction is not None and layers.prediction.visible and session.classes is not None:
        classes = tuple((c.name, c.color) for c in session.classes)
    drawn = tuple(viewer.layers), layers.base, window, pixel_size
    blank = FigureContent(
        _NOTHING,
        size,
        unit,
        classes,
        tuple(_bars(layers)),
        _caption(layers, window, size, unit),
        lines_of(*drawn),
        points_of(*drawn),
    )
    return ShownFigure(window, tuple(pictures_of(viewer.layers, layers.base)), blank)


def _unit(image: PyramidImage) -> tuple[tuple[float, float], str | None]:
    if image.pixel_size is None or image.unit not in ("um", "m"):
        return (1.0, 1.0), None
    return image.pixel_size, image.unit


def _bars(layers: SessionLayers) -> list[FigureBar]:
    bars = []
    for branch in layers.attention.shown:
        layer = layers.attention.layer(branch)
        if layer is not None:
            bars.append(_bar(f"Attention ({branch})", layer))
    if layers.shown_score is not None and layers.score is not None:
        bars.append(_bar(SCORES[layers.shown_score].title, layers.score, 255))
    return bars


def _bar(title: str, layer: Image, whole: float = 1.0) -> FigureBar:
    """A colour bar; ``whole`` is the value that stands for 1."""
    low, high = (float(limit) / whole for limit in layer.contrast_limits)
    # The lowest colour stands for what is below, which may be clear.
    colors = layer.colormap.map(np.linspace(1e-6, 1 - 1e-6, 256))
    return FigureBar(title, colors * [1, 1, 1, layer.opacity], low, high)


def _caption(
    layers: SessionLayers, window: Window, size: tuple[float, float], unit: str | None
) -> tuple[str, ...]:
    place = f"rows {window.y0} to {window.y1 - 1}, columns {window.x0} to {window.x1 - 1}"
    extent = f"{size[1]:.6g} × {size[0]:.6g} {(unit or 'px').replace('um', 'µm')}"
    lines = [f"{layers.session.image.source.name}: {place} ({extent})"]
    lines += _model(layers.session)
    for branch in layers.attention.shown:
        lines.append(f"Attention ({branch}): {in_words(layers.attention.choice)}")
    if layers.shown_score is not None:
        score = SCORES[layers.shown_score]
        lines.append(f"{score.title}: {score.tooltip[0].lower()}{score.tooltip[1:]}")
    return (*lines, f"napari-relay {__version__}")


def _model(session: Session) -> list[str]:
    return [] if session.version is None else [f"Model: {session.version.label}"]
