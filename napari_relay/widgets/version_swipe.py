"""Two predictions in one layer, the old one left of a line and the new one right of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from napari_relay.inference import PredictionStore
from napari_relay.inference.levels import LevelArray
from napari_relay.widgets.session_layers import SessionLayers
from napari_relay.widgets.swipe_line import SwipeLine

_Key = tuple[slice, slice]


@dataclass
class Border:
    """Where one prediction ends and the other begins."""

    column: float = 0.0
    """Level-0 pixels; the old one is left of it."""


class SwipedLevel:
    """A level of two predictions with a border between them.

    Parameters
    ----------
    old, new
        The same level of both; rows and columns of class labels.
    factor
        Level-0 pixels a pixel.
    border
        Followed at each reading.
    """

    def __init__(self, old: LevelArray, new: LevelArray, factor: float, border: Border) -> None:
        self._old, self._new, self._factor, self._border = old, new, factor, border
        self.shape, self.dtype, self.ndim = new.shape, new.dtype, new.ndim

    @property
    def size(self) -> int:
        """Pixels."""
        return int(np.prod(self.shape))

    def __getitem__(self, key: _Key) -> NDArray[np.uint8]:
        """Labels of two slices with step 1."""
        rows, cols = key
        first, last, _ = cols.indices(self.shape[1])
        middle = min(max(round(self._border.column / self._factor), first), last)
        parts = [
            level[rows, slice(*span)]
            for level, span in ((self._old, (first, middle)), (self._new, (middle, last)))
        ]
        return np.concatenate([np.asarray(part) for part in parts], axis=1)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[np.generic]:
        """All of it; napari asks for the coarsest level alone."""
        whole = self[slice(None), slice(None)]
        return whole if dtype is None else whole.astype(dtype)


class VersionSwipe:
    """Lets the prediction's layer show an older version's prediction left of a line.

    Parameters
    ----------
    layers
        Of the image.
    """

    def __init__(self, layers: SessionLayers) -> None:
        self._layers = layers
        self._border = Border()
        self.line = SwipeLine(layers)
        self.is_on = False

    def begin(self, old: PredictionStore) -> None:
        """Show two predictions in the layer, the border at the left edge."""
        store, layer = self._layers.session.store, self._layers.prediction
        if store is None or layer is None:
            return
        self._border = Border()
        layer.data = [
            SwipedLevel(*pair, 2.0**number, self._border)
            for number, pair in enumerate(zip(old.labels, store.labels, strict=True))
        ]
        self.is_on = True

    def move(self, column: float) -> None:
        """Put the border, and a line on it, at a level-0 column."""
        self._border.column = column
        if self.is_on and self._layers.prediction is not None:
            self._layers.prediction.refresh()
            self.line.show(round(column))

    def end(self) -> None:
        """Show the prediction in use alone, if the image is open."""
        self.line.remove()
        store, layer = self._layers.session.store, self._layers.prediction
        there = layer is not None and layer in self._layers.viewer.layers
        if self.is_on and store is not None and layer is not None and there:
            layer.data = list(store.labels)
        self.is_on = False
