"""The layers of a probe: its two windows, and where its context came from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from napari.layers import Image, Layer, Shapes
from napari.utils.colormaps import Colormap, ensure_colormap
from napari.viewer import Viewer
from numpy.typing import NDArray
from qtpy.QtCore import QObject

from napari_relay.exploring import Probe
from napari_relay.geometry import Window
from napari_relay.widgets.image_layer import placement_of
from napari_relay.widgets.timers import single_shot

LOCAL_COLOR, GLOBAL_COLOR, OTHER_COLOR = "#f0e442", "#56b4e9", "#009e73"
"""Outlines of the local, the global and another place's global window (Okabe & Ito)."""
_RIM_COLOR = "#202020"
"""Of the darker line under each outline, without which yellow is lost on bright glass."""
_EDGES = {_RIM_COLOR: 4.0, LOCAL_COLOR: 2.0, GLOBAL_COLOR: 2.0, OTHER_COLOR: 2.0}
"""Width of each line on screen, in pixels of the canvas."""
_FLOW_COLORS = "inferno"
_CLEAR = 0.85
"""How strongly the largest flow covers the image; nothing covers it where there is none."""


class ProbeLayers(QObject):
    """Makes the layers when there is something to show, and anew once they were deleted.

    What the person does to them (hiding, renaming, another order or opacity) stays.

    Parameters
    ----------
    viewer
        Whose zoom decides how thick a thin line is.
    base
        Layer of the image.
    insert
        Puts a new layer into the viewer.
    """

    def __init__(self, viewer: Viewer, base: Image, insert: Callable[[Layer], None]) -> None:
        super().__init__()
        self.windows: Shapes | None = None
        self.flow: Image | None = None
        self._viewer, self._base, self._insert = viewer, base, insert
        self._probe: Probe | None = None
        self._other: Window | None = None
        # In turns of their own, between which the window answers.
        self._outlining = single_shot(self, 0, self._draw_windows)
        self._preparing = single_shot(self, 0, self._prepare_next)

    @property
    def all(self) -> list[Layer]:
        """The layers that there are, lowest first."""
        return [x for x in (self.flow, self.windows) if x is not None]

    def forget(self, layer: Layer) -> None:
        """Take note that a layer has been deleted."""
        for name in ("windows", "flow"):
            if getattr(self, name) is layer:
                setattr(self, name, None)

    def clear(self) -> None:
        """Forget the probe and the other place; the layers stay."""
        self._probe = self._other = None
        self._preparing.stop()

    def close(self) -> None:
        """Follow nothing more; the layers stay."""
        for timer in (self._outlining, self._preparing):
            timer.stop()

    def prepare(self) -> None:
        """Make the layers of a probe while nobody waits for one.

        napari takes a tenth of a second and more for each new layer.
        """
        self._preparing.start()

    def _prepare_next(self) -> None:
        if self.flow is None:
            self._show_flow()
            self._preparing.start()
        elif self.windows is None:
            self._show_windows()

    def show_probe(self, probe: Probe) -> None:
        """Show a probe's windows and where its context came from."""
        self._probe = probe
        layer = self._show_flow()
        pixel, flow = self._pixel, probe.flow
        layer.data = flow.values
        scale, translate = pixel * flow.factor, pixel * np.asarray(flow.translate)
        if not np.array_equal(layer.scale, scale):  # each costs napari a new slice
            layer.scale = scale
        layer.translate = translate
        layer.contrast_limits = flow_limits(flow.values)
        self._outlining.start()

    def show_other(self, window: Window | None) -> None:
        """Show another place's global window beside the probe's; None: no longer."""
        if window != self._other:
            self._other = window
            self._outlining.start()

    def follow_zoom(self) -> None:
        """Keep the outlines as thin as they are on screen."""
        layer, shown = self.windows, self._outlined()
        if layer is not None and layer.nshapes == len(shown):  # else the person has changed them
            widths = self._edge_widths(shown)
            if not np.allclose(layer.edge_width, widths, rtol=0.01):
                layer.edge_width = widths
                layer.refresh(thumbnail=False, extent=False)

    def _draw_windows(self) -> None:
        shown = self._outlined()
        if not shown and self.windows is None:
            return
        layer = self._show_windows()
        corners = [_corners(window) for window, _ in shown]
        if layer.nshapes == len(shown) and set(layer.shape_type) == {"rectangle"}:
            layer.data = corners
            self.follow_zoom()
        else:
            layer.data = []
            self._add_windows(layer, shown)

    def _add_windows(self, layer: Shapes, shown: list[tuple[Window, str]]) -> None:
        if shown:
            layer.add_rectangles(
                [_corners(window) for window, _ in shown],
                edge_color=[color for _, color in shown],
                face_color="transparent",
                edge_width=self._edge_widths(shown),
            )
            layer.selected_data = set()

    def _outlined(self) -> list[tuple[Window, str]]:
        """All lines with their colours, the rims first."""
        shown = [] if self._other is None else [(self._other, OTHER_COLOR)]
        if self._probe is not None:
            shown += [(self._probe.global_, GLOBAL_COLOR), (self._probe.local, LOCAL_COLOR)]
        return [(window, _RIM_COLOR) for window, _ in shown] + shown

    def _edge_widths(self, shown: list[tuple[Window, str]]) -> list[float]:
        """Width of each line in level-0 pixels, as outlines are measured."""
        pixel = float(self._viewer.scene.camera.zoom * self._pixel.mean())
        return [_EDGES[color] / pixel for _, color in shown]

    @property
    def _pixel(self) -> NDArray[np.float64]:
        """Size of a level-0 pixel in the viewer's world."""
        return np.asarray(placement_of(self._base)["scale"], float)

    def _show_windows(self) -> Shapes:
        if self.windows is None:
            placed: dict[str, Any] = placement_of(self._base)
            self.windows = Shapes(name="Probe", ndim=2, face_color="transparent", **placed)
            self._insert(self.windows)
        return self.windows

    def _show_flow(self) -> Image:
        if self.flow is None:
            self.flow = Image(
                np.zeros((1, 1), np.float32),
                name="Context flow",
                colormap=clear_to_bright(_FLOW_COLORS),
                contrast_limits=(0, 1),
                interpolation2d="nearest",
                units=placement_of(self._base)["units"],
            )
            self._insert(self.flow)
        return self.flow


def flow_limits(values: NDArray[np.float32]) -> tuple[float, float]:
    """From the mean, which is clear as is all below it, to the largest flow.

    A flow that is nearly even shows nearly nothing: the upper end is at least twice the mean.
    """
    mean = max(float(values.mean()), 1e-9)
    return mean, max(float(values.max()), 2 * mean)


def clear_to_bright(name: str) -> Colormap:
    """A colormap that is transparent at its lower end and covers more and more upwards."""
    colors = np.array(ensure_colormap(name).map(np.linspace(0.35, 1, 64)))
    colors[:, 3] = np.linspace(0, 1, len(colors)) ** 0.7 * _CLEAR
    return Colormap(colors, name=f"{name}, clear to bright")


def _corners(window: Window) -> NDArray[np.float64]:
    """``(2, 2)``: outer edges of a window's first and last pixel."""
    return np.array([(window.y0, window.x0), (window.y1, window.x1)]) - 0.5
