"""The line over the image where one prediction ends and the other begins."""

from __future__ import annotations

import numpy as np
from napari.layers import Shapes
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from napari_relay.widgets.image_layer import placement_of
from napari_relay.widgets.session_layers import SessionLayers

NAME = "Before | now"
_COLORS = ("#202020", "#f0e442")
"""Of the rim, without which the line is lost on bright glass, and of the line on it."""
_SCREEN_PIXELS = (4.0, 2.0)
"""Width of both on screen."""


class SwipeLine:
    """A line over all rows of an image, as thin at every zoom; made anew once it was deleted.

    Parameters
    ----------
    layers
        Of the image.
    """

    def __init__(self, layers: SessionLayers) -> None:
        self._layers = layers
        self._layer: Shapes | None = None
        self._column = 0.0
        self._follows = False

    @property
    def layer(self) -> Shapes | None:
        """The layer; None before it was wanted and after it was deleted."""
        if self._layer is not None and self._layer not in self._layers.viewer.layers:
            self._layer = None
        return self._layer

    def show(self, column: float) -> None:
        """Draw it at the left edge of a level-0 column."""
        self._column = column
        if self.layer is None:
            self._make()
        elif (layer := self.layer) is not None:
            layer.data = [self._ends(), self._ends()]
            self._follow_zoom()

    def remove(self) -> None:
        """Take it away in a moment: napari may be in the midst of removing layers."""
        layer, shown = self.layer, self._layers.viewer.layers
        if self._follows:
            self._follows = False
            self._layers.viewer.scene.camera.events.zoom.disconnect(self._follow_zoom)
        if layer is not None:
            QTimer.singleShot(0, lambda: shown.remove(layer) if layer in shown else None)

    def _make(self) -> None:
        self._layer = Shapes(
            [self._ends(), self._ends()],
            shape_type="line",
            edge_color=list(_COLORS),
            edge_width=self._widths(),
            name=NAME,
            ndim=2,
            **placement_of(self._layers.base),
        )
        self._layers.insert(self._layer)
        if not self._follows:
            self._follows = True
            self._layers.viewer.scene.camera.events.zoom.connect(self._follow_zoom)

    def _follow_zoom(self) -> None:
        layer = self.layer
        if layer is not None and layer.nshapes == len(_COLORS):  # else the person has changed it
            layer.edge_width = self._widths()
            layer.refresh(thumbnail=False, extent=False)

    def _ends(self) -> NDArray[np.float64]:
        """First and last point ``(row, col)``, level-0 pixels, whose centres are whole."""
        height, edge = self._layers.session.image.shape[0], self._column - 0.5
        return np.array([[-0.5, edge], [height - 0.5, edge]])

    def _widths(self) -> list[float]:
        """Of both lines, level-0 pixels."""
        size = np.asarray(placement_of(self._layers.base)["scale"], float)[-1]
        pixel = float(self._layers.viewer.scene.camera.zoom) * size
        return [width / pixel for width in _SCREEN_PIXELS]
