"""Where the class of every pixel comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import dask.array as da
import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.geometry import Window
from relay_tokens import IGNORE_INDEX

Labels = NDArray[np.uint8]
"""Class of each pixel, ``(rows, cols)``; 255 where there is none."""


class LabelSource(Protocol):
    """Labels of an image, read window by window."""

    def read(self, window: Window) -> Labels:
        """Read ``(height, width)`` classes at level 0.

        255 (the ignore index) where a pixel has no label, also outside the image.
        """
        ...


@dataclass(frozen=True)
class ArrayLabels:
    """An array of classes as a label source."""

    array: NDArray[np.uint8] | da.Array | zarr.Array[Any]
    """``(y, x)`` uint8 on the image's level-0 grid; read only where asked."""

    def read(self, window: Window) -> Labels:
        """Read ``(height, width)`` classes; 255 outside the array."""
        labels = np.full((window.height, window.width), IGNORE_INDEX, dtype=np.uint8)
        height, width = self.array.shape
        inside = window.intersection(Window(0, 0, height, width))
        if inside.area:
            rows, cols = inside.slices
            moved = Window(inside.y0 - window.y0, inside.x0 - window.x0, *inside[2:])
            labels[moved.slices] = np.asarray(self.array[rows, cols])
        return labels


def compute_labels(source: LabelSource, shape: tuple[int, int], block: int = 1024) -> ArrayLabels:
    """Read all labels of an image once, block by block, into memory.

    Parameters
    ----------
    source
        Where they come from.
    shape
        Rows and columns of the image.
    block
        Side of the windows they are read in, in pixels.
    """
    labels = np.empty(shape, dtype=np.uint8)
    whole = Window(0, 0, *shape)
    for y0 in range(0, shape[0], block):
        for x0 in range(0, shape[1], block):
            window = Window(y0, x0, block, block).intersection(whole)
            labels[window.slices] = source.read(window)
    return ArrayLabels(labels)
