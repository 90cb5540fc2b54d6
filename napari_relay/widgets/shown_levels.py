"""The levels of corrections with the values that a layer shows.

The store holds those of ``correction_values`` with 255 for "not corrected"; the layer
shows one more, with 0 for "not corrected", so that class 0 can be painted, 0 is
transparent and the eraser takes corrections away. This is the only conversion.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from napari.layers._multiscale_data import MultiScaleData
from numpy.typing import NDArray

from napari_relay.annotation import EditablePyramid, LevelView
from napari_relay.training.correction_values import allowed_values
from napari_relay.widgets.region_refresh import Slices, window_of
from relay_tokens import ClassSchema

Pixels = NDArray[np.uint8]


def shown_label(label: int) -> int:
    """A stored value as the layer shows it: one more, 0 for 255."""
    return (label + 1) % 256


def stored_label(shown: int) -> int:
    """The inverse of :func:`shown_label`."""
    return (int(shown) - 1) % 256


def shown_labels(labels: Pixels) -> Pixels:
    """As :func:`shown_label`, of many."""
    return np.asarray(np.add(labels, np.uint8(1), dtype=np.uint8))


def stored_labels(values: Pixels) -> Pixels:
    """The inverse of :func:`shown_labels`."""
    return np.asarray(np.subtract(values, np.uint8(1), dtype=np.uint8))


class _ShownLevel:
    """A level of the pyramid with the values that the layer shows."""

    def __init__(self, level: LevelView) -> None:
        self._level = level
        self.shape, self.ndim, self.size = level.shape, level.ndim, level.size
        self.dtype, self.chunks = level.dtype, level.chunks

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: object) -> Pixels:
        return shown_labels(self._level[key])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Pixels:
        return self[:, :].astype(dtype or self.dtype, copy=False)


class PaintLevels(MultiScaleData):
    """What napari gets as data: a level for an integer, level-0 pixels for slices."""

    def __init__(self, pyramid: EditablePyramid, schema: ClassSchema) -> None:
        super().__init__([_ShownLevel(level) for level in pyramid.levels])
        self.pyramid = pyramid
        self.classes = len(schema)
        self.allowed = allowed_values(schema)

    def __getitem__(self, key: Any) -> Any:
        return self._data[0][key] if isinstance(key, tuple) else self._data[key]

    def __setitem__(self, key: Slices, values: Pixels) -> None:
        self.pyramid.write(window_of(key), stored_labels(values))
