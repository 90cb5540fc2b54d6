"""Corrections made with one click on the prediction, or with a line drawn around a part of it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from napari_relay.annotation.outlines import PolygonPainting
from napari_relay.annotation.painting import MaskPainting, Painting, WindowPainting
from napari_relay.annotation.predicted import (
    MAX_REGION,
    PredictionPainting,
    Values,
    as_not_predicted,
    as_predicted,
    predicted_region,
)
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from napari_relay.training.correction_values import IGNORED
from napari_relay.widgets.canvas_hand import Corners, Hand
from napari_relay.widgets.paintable_labels import Labels
from napari_relay.widgets.painter import Painter
from napari_relay.widgets.shown_levels import stored_label
from relay_tokens import IGNORE_INDEX

ACCEPT = "accept"
RELABEL = "relabel"
REFUSE = "not this"
IGNORE = "ignore"
LASSO = "lasso"

_NAMES = {
    ACCEPT: "Accepting the prediction",
    RELABEL: "Relabelling",
    REFUSE: "Refusing the prediction",
    IGNORE: "Ignoring a place",
    LASSO: "Painting a lasso",
}


class RegionTools:
    """Tools to be taken in hand for one image.

    A click acts on the connected region of the prediction under the mouse, a
    line drawn with the button held on all inside it.

    Parameters
    ----------
    painter
        Paints what they find.
    layer
        The corrections' layer, if there is one.
    store
        The prediction, if there is one.
    """

    def __init__(
        self,
        painter: Painter,
        layer: Callable[[], Labels | None],
        store: Callable[[], PredictionStore | None],
    ) -> None:
        self._painter, self._layer, self._store = painter, layer, store

    def hand(self, name: str) -> Hand:
        """The tool of that name."""
        clicked = None if name == LASSO else partial(self._click, name)
        return Hand(name, clicked, partial(self._outline, name))

    def agree(self, window: Window) -> None:
        """Take what is predicted in a window as right, where nothing is corrected yet."""
        store, layer = self._store(), self._layer()
        if store is not None and layer is not None:
            everywhere = WindowPainting(window.intersection(Window(0, 0, *store.shape)), 0)
            found = PredictionPainting(store, everywhere, as_predicted())
            self._painter.paint(layer, "Agreeing", lambda: found, "agreed", IGNORE_INDEX)

    def _click(self, name: str, row: int, col: int) -> None:
        store, layer = self._store(), self._layer()
        if store is not None and layer is not None:
            find = _Region(store, row, col, _values(name, layer))
            self._painter.paint(layer, _NAMES[name], find, name)

    def _outline(self, name: str, corners: Corners) -> None:
        store, layer = self._store(), self._layer()
        if store is None or layer is None:
            return
        values = _values(name, layer)
        found: Painting = PolygonPainting(corners, int(values[0]))
        if name in (ACCEPT, REFUSE):
            found = PredictionPainting(store, found, values)
        self._painter.paint(layer, _NAMES[name], lambda: found, name)


def _values(name: str, layer: Labels) -> Values:
    """What each predicted class becomes."""
    if name == ACCEPT:
        return as_predicted()
    if name == REFUSE:
        return as_not_predicted()
    return np.full(256, IGNORED if name == IGNORE else stored_label(layer.selected_label), np.uint8)


class _Region:
    """Finds the connected region of the prediction at a pixel, in a worker."""

    def __init__(self, store: PredictionStore, row: int, col: int, values: Values) -> None:
        self._store, self._row, self._col, self._values = store, row, col, values
        self.note = ""

    def __call__(self) -> MaskPainting:
        found = predicted_region(self._store, self._row, self._col)
        if found.is_cut:
            self.note = (
                f"This region is larger than {MAX_REGION} px; only what is around the click was "
                "taken. Draw a line around a larger part of it."
            )
        return found.painted(int(self._values[found.label]))
