"""Areas that a person draws over an image, to predict nothing but what is in them."""

from __future__ import annotations

import numpy as np
from napari.layers import Image, Shapes
from napari.viewer import Viewer
from numpy.typing import NDArray

from napari_relay.widgets.image_layer import placement_of, pyramid_of
from napari_relay.widgets.layer_drawing import in_image, outline
from napari_relay.widgets.layer_files.place import place_metadata

NAME = "Area to predict"
_COLOR = "#f0e442"
_SCREEN_PIXELS = 2
_ENCLOSING = ("polygon", "rectangle", "ellipse")


class AreaLayer:
    """One Shapes layer, made when it is first wanted, and again after it was deleted.

    Parameters
    ----------
    viewer
        Where it is shown.
    base
        Layer of the image that is drawn over.
    """

    def __init__(self, viewer: Viewer, base: Image) -> None:
        self._viewer, self._base = viewer, base
        self._layer: Shapes | None = None

    @property
    def layer(self) -> Shapes | None:
        """The layer; None before it was wanted and after the person has deleted it."""
        if self._layer is not None and self._layer not in self._viewer.layers:
            self._layer = None
        return self._layer

    def draw(self) -> None:
        """Let the next clicks draw the corners of an area."""
        layer = self.layer or self._make()
        layer.visible = True
        width = _SCREEN_PIXELS / float(self._viewer.scene.camera.zoom) / layer.scale[0]
        layer.current_edge_width = width
        self._viewer.layers.selection.active = layer
        layer.mode = "add_polygon"

    def stop_drawing(self) -> None:
        """Give the mouse back to the image."""
        if (layer := self.layer) is not None:
            layer.mode = "pan_zoom"

    @property
    def areas(self) -> list[NDArray[np.float64]]:
        """Outlines ``(n, 2)``, level-0 ``(row, col)`` of the image; lines enclose nothing."""
        layer = self.layer
        if layer is None:
            return []
        return [
            in_image(layer, self._base, outline(np.asarray(corners, float)[:, -2:], kind))
            for corners, kind in zip(layer.data, layer.shape_type, strict=True)
            if kind in _ENCLOSING
        ]

    @property
    def layers(self) -> list[Shapes]:
        """The layer, if there is one."""
        return [] if self.layer is None else [self.layer]

    def _make(self) -> Shapes:
        image = pyramid_of(self._base)
        self._layer = Shapes(
            name=NAME,
            ndim=2,
            edge_color=_COLOR,
            face_color="transparent",
            metadata=place_metadata(image) if image is not None else {},
            **placement_of(self._base),
        )
        self._viewer.add_layer(self._layer)
        return self._layer
