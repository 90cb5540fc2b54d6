"""Shows changed pixels of a Labels layer at once, without slicing it again.

napari 0.9 draws what it sliced before; ``layer.refresh()`` slices and uploads
everything on screen (155 to 218 ms). What this needs of napari's private API is
listed in ``tests/widgets/test_napari_private_api.py``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from napari.layers import Labels as NapariLabels
from numpy.typing import NDArray

from napari_relay.geometry import Window, union

Slices = tuple[slice, slice]
"""Rows and columns, each with a start and a stop."""


class VisiblePart(NamedTuple):
    """What of a window is on screen."""

    level: int
    """The level on screen."""
    tile: Slices
    """The part in the texture."""
    pixels: Slices
    """The part in the level."""


class RegionRefresher:
    """Shows changed pixels of a multiscale 2-D Labels layer without slicing it again.

    For layers whose level arrays change under them: corrections, and
    predictions that arrive tile by tile. Works for any ``napari.layers.Labels``
    over level arrays; keep a reference as long as the layer lives, and use it
    on the main thread only.

    Parameters
    ----------
    layer
        From now on its coarsest level is read again at every slicing, where
        napari would keep the copy it made first.
    """

    def __init__(self, layer: NapariLabels) -> None:
        self._layer = layer
        self._waiting: Window | None = None
        layer._level_materializer = None
        layer.events.set_data.connect(self._show_waiting)

    def refresh(self, window: Window) -> None:
        """Show the present pixels of a level-0 window; does nothing off screen.

        While napari slices the layer in the background, this waits until the
        slice has landed: it may have been read before the change.
        """
        if not self._layer._slicing_state.loaded:
            self.wait_for(window)
            return
        part = self.patch(window)
        if part is not None:
            view = self._layer._slice.image.view[part.tile]
            offset = [axis.start for axis in part.tile]
            self._layer.events.labels_update(data=view, offset=offset)

    def wait_for(self, window: Window) -> None:
        """Refresh the window, and all that wait, once the slice has landed."""
        self._waiting = window if self._waiting is None else union(self._waiting, window)

    def patch(self, window: Window) -> VisiblePart | None:
        """Bring napari's copy of the pixels on screen up to date; None: nothing to see."""
        layer = self._layer
        if layer._slice.empty or not layer.visible:
            return None
        image = layer._slice.image
        if not is_plain_view(layer) or not image.raw.flags.writeable:
            layer.refresh(extent=False)
            return None
        part = visible_part(layer, window)
        if part is not None:
            image.raw[part.tile] = layer.data[part.level][part.pixels]
            image.view[part.tile] = layer._raw_to_displayed(image.raw, part.tile)
        return part

    def _show_waiting(self) -> None:
        if self._waiting is not None and self._layer._slicing_state.loaded:
            window, self._waiting = self._waiting, None
            self.refresh(window)


def is_plain_view(layer: NapariLabels) -> bool:
    """Whether the texture is the level itself: two axes, not swapped."""
    shown = layer._slice.slice_input
    return shown.ndisplay == 2 and list(shown.displayed) == [0, 1]


def level_frame(layer: NapariLabels) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Downsample factors of what is on screen, and its first pixel in that level."""
    tile = layer._slice.tile_to_data
    factors = np.asarray(tile.scale, float)
    return factors, np.round(np.asarray(tile.translate) / factors).astype(np.intp)


def visible_part(layer: NapariLabels, window: Window) -> VisiblePart | None:
    """What of a level-0 window is on screen, contours included; None: nothing."""
    factors, origin = level_frame(layer)
    margin = int(layer.contour)  # a contour reaches into its neighbours
    tile, pixels = [], []
    for axis, span in enumerate(window.slices):
        start = math.floor(span.start / factors[axis]) - int(origin[axis]) - margin
        stop = math.ceil(span.stop / factors[axis]) - int(origin[axis]) + margin
        start, stop = max(start, 0), min(stop, layer._slice.image.raw.shape[axis])
        if start >= stop:
            return None
        tile.append(slice(start, stop))
        pixels.append(slice(start + int(origin[axis]), stop + int(origin[axis])))
    level = int(np.argmin(np.abs(layer.downsample_factors[:, 0] - factors[0])))
    return VisiblePart(level, (tile[0], tile[1]), (pixels[0], pixels[1]))


def window_of(key: tuple[slice, ...]) -> Window:
    """The window of an index; the inverse of :attr:`Window.slices`."""
    rows, cols = key
    return Window(
        int(rows.start), int(cols.start), int(rows.stop - rows.start), int(cols.stop - cols.start)
    )
