"""What is drawn over a corrections layer while an outline or a stroke is made.

Uses napari's private API; see ``tests/widgets/test_napari_private_api.py``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari._vispy.overlays.labels_brush_stroke import VispyLabelsBrushStrokeOverlay
from napari._vispy.overlays.labels_polygon import VispyLabelsPolygonOverlay
from napari._vispy.utils.visual import overlay_to_visual
from napari.components.overlays import LabelsBrushStrokeOverlay, LabelsPolygonOverlay
from napari.layers import Labels as NapariLabels
from numpy.typing import NDArray

from napari_relay.widgets.region_refresh import level_frame


class PolygonOverlay(LabelsPolygonOverlay):
    """The polygon tool of our layer; its own class, so that it gets its own visual."""

    freehand: bool = False
    """Whether the points are a line that the mouse drew, shown without corners."""


class StrokeOverlay(LabelsBrushStrokeOverlay):
    """The encircling brush stroke of our layer."""


class PolygonVisual(VispyLabelsPolygonOverlay):
    """Draws the polygon where it will be; napari's is misplaced by the tile's origin."""

    def _on_points_change(self) -> None:
        points = _in_level(self.layer, np.reshape(self.overlay.points, (-1, 2)) - 0.5)
        freehand = getattr(self.overlay, "freehand", False)
        self._nodes.visible = not freehand
        self._polygon.visible = len(points) > 2 and not freehand
        self._line.visible = len(points) > 1 if freehand else len(points) == 2
        if self._polygon.visible:
            self._polygon.pos = points
        if self._line.visible:
            self._line.set_data(pos=points)
        if self._nodes.visible:
            self._nodes.set_data(pos=points, **self._nodes_kwargs)


class StrokeVisual(VispyLabelsBrushStrokeOverlay):
    """Draws the circle where the stroke began, at every zoom."""

    def _on_geometry_change(self, _event: Any = None) -> None:
        self._circle.visible = self.overlay.active
        if self.overlay.active:
            factors, _ = level_frame(self.layer)
            self._circle.center = tuple(_in_level(self.layer, np.array([self.overlay.center]))[0])
            self._circle.radius = tuple(self.overlay.radius / factors[::-1])


overlay_to_visual[PolygonOverlay] = PolygonVisual
overlay_to_visual[StrokeOverlay] = StrokeVisual


def use_own_overlays(layer: NapariLabels) -> None:
    """Put our overlays in the place of napari's own."""
    overlays = {
        "polygon": PolygonOverlay(visible=True),
        "brush_stroke": StrokeOverlay(visible=True),
    }
    for key, overlay in overlays.items():
        del layer._overlays[key]  # else the new one counts as equal and is not taken
        layer._overlays[key] = overlay


def _in_level(layer: NapariLabels, points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Level-0 ``(row, col)`` as ``(x, y)`` in pixels of the level on screen.

    napari moves an overlay by the tile's origin and half a pixel of the level.
    """
    factors, _ = level_frame(layer)
    return np.asarray(((points + 0.5) / factors - 0.5)[:, ::-1])
