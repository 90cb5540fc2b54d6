"""The napari layers that show a terrain's relief in place of its elevation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from napari.layers import Image, Layer
from napari.viewer import Viewer
from qtpy.QtCore import QTimer

from napari_relay.images import PyramidImage
from napari_relay.images.relief import ReliefStyle, with_relief
from napari_relay.widgets.image_layer import image_layer_data, placement_of


@dataclass(frozen=True)
class Shown:
    """A relief that is in the viewer."""

    base: Image
    """The layer of the elevation, hidden meanwhile."""
    style: ReliefStyle
    """What is shown."""
    layer: Image
    """The layer that shows it."""


class ReliefLayers:
    """Shows at most one relief for each image of a viewer.

    The relief lies just below the hidden layer of the elevation, so that all
    that belongs over the image stays over it, what is added later too.

    Parameters
    ----------
    viewer
        Where the layers are.
    changed
        Called when a relief has gone with its layer or its image.
    """

    def __init__(self, viewer: Viewer, changed: Callable[[], None]) -> None:
        self._viewer = viewer
        self._changed = changed
        self._shown: list[Shown] = []
        viewer.layers.events.removed.connect(self._on_removed)

    def close(self) -> None:
        """Follow the viewer no more; the layers stay."""
        self._viewer.layers.events.removed.disconnect(self._on_removed)

    def style_of(self, base: Image) -> ReliefStyle | None:
        """What is shown of an image; None for the elevation itself."""
        shown = self._of(base)
        return shown.style if shown is not None else None

    def layer_of(self, base: Image) -> Image | None:
        """The layer that shows it; None while the elevation itself is shown."""
        shown = self._of(base)
        return shown.layer if shown is not None else None

    def show(self, base: Image, image: PyramidImage, style: ReliefStyle | None) -> None:
        """Show a relief, or the elevation again.

        Parameters
        ----------
        base
            Layer of the elevation, in the viewer.
        image
            What it shows.
        style
            None: the elevation.

        Raises
        ------
        UserError
            When the relief cannot be worked out; what is shown stays.
        """
        layer = relief_layer(base, image, style) if style is not None else None
        before = self._of(base)
        if before is not None:
            self._shown.remove(before)
            self._viewer.layers.remove(before.layer)
        if layer is not None and style is not None:
            self._insert(layer, self._viewer.layers.index(base))
            self._shown.append(Shown(base, style, layer))
        base.visible = layer is None

    def _of(self, base: Layer) -> Shown | None:
        return next((shown for shown in self._shown if shown.base is base), None)

    def _insert(self, layer: Image, place: int) -> None:
        """Add a layer and leave the selection as it is: a brush stays in the hand."""
        layers = self._viewer.layers
        active, selected = layers.selection.active, set(layers.selection)
        layers.insert(place, layer)
        layers.selection = selected
        layers.selection.active = active

    def _on_removed(self, event: Any) -> None:
        gone = [s for s in self._shown if event.value is s.base or event.value is s.layer]
        for shown in gone:
            self._shown.remove(shown)
            shown.base.visible = True
            # napari may be in the midst of removing several layers.
            QTimer.singleShot(0, lambda layer=shown.layer: self._remove(layer))
        if gone:
            self._changed()

    def _remove(self, layer: Image) -> None:
        if layer in self._viewer.layers:
            self._viewer.layers.remove(layer)


def relief_layer(base: Image, image: PyramidImage, style: ReliefStyle) -> Image:
    """Make the layer of a relief; nothing is read for it.

    Raises
    ------
    UserError
        As :func:`~napari_relay.images.relief.with_relief`.
    """
    data, arguments, _ = image_layer_data(with_relief(image, style.bands), style.limits)
    arguments |= {"name": f"{base.name}: {style.label.lower()}", "metadata": {}}
    arguments |= placement_of(base)
    if style.dark_high:
        arguments["colormap"] = "gray_r"
    return Image(data, **arguments)
