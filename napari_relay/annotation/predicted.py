"""Painting what a prediction says, or where it says it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import flood

from napari_relay.annotation.painting import MaskPainting, Painting, Patch
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore
from napari_relay.training.correction_values import NOT_CLASS
from relay_tokens import IGNORE_INDEX, UserError

MAX_REGION = 4096
"""A connected region is followed at most this many level-0 pixels a side, around the click."""
_FIRST_LOOK = 512

Values = NDArray[np.uint8]
"""``(256,)``: what each predicted label is painted as; 255 leaves it."""


class PredictedRegion(NamedTuple):
    """Connected pixels of one predicted class."""

    window: Window
    """The smallest window around it, level-0 pixels."""
    mask: NDArray[np.bool_]
    """``(height, width)``: its pixels."""
    label: int
    """The predicted class."""
    is_cut: bool
    """Whether it goes on beyond what was looked at."""

    def painted(self, label: int) -> MaskPainting:
        """The region in another value."""
        return MaskPainting(self.window, self.mask, label)


def predicted_region(
    store: PredictionStore, row: int, col: int, max_side: int = MAX_REGION
) -> PredictedRegion:
    """Find what is connected with a pixel, by edges, at full resolution.

    Parameters
    ----------
    store
        The prediction.
    row, col
        Level-0 pixel.
    max_side
        It is followed in a window of at most so many pixels a side around it.

    Raises
    ------
    UserError
        When the pixel is outside the image, or is not predicted yet.
    """
    image = Window(0, 0, *store.shape)
    seed = Window(row, col, 1, 1)
    if not seed.intersects(image):
        raise UserError("This place is outside the image; click on the prediction.")
    label = int(store.read_labels(seed)[0, 0])
    if label == IGNORE_INDEX:
        raise UserError("Nothing is predicted here yet; predict the view first.")
    side = _FIRST_LOOK
    while True:
        area = seed.expanded(min(side, max_side) // 2).intersection(image)
        mask = flood(store.read_labels(area), (row - area.y0, col - area.x0), connectivity=1)
        is_cut = reaches_border(mask, area, image)
        if not is_cut or side >= max_side:
            return _cropped(area, mask, label, is_cut)
        side *= 2


def reaches_border(mask: NDArray[np.bool_], area: Window, image: Window) -> bool:
    """Whether a mask touches a border of ``area`` that is not one of the image."""
    return bool(
        (area.y0 > image.y0 and mask[0].any())
        or (area.x0 > image.x0 and mask[:, 0].any())
        or (area.y1 < image.y1 and mask[-1].any())
        or (area.x1 < image.x1 and mask[:, -1].any())
    )


def _cropped(area: Window, mask: NDArray[np.bool_], label: int, is_cut: bool) -> PredictedRegion:
    rows, cols = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    y0, x0 = int(rows[0]), int(cols[0])
    inner = Window(y0, x0, int(rows[-1]) + 1 - y0, int(cols[-1]) + 1 - x0)
    window = inner._replace(y0=y0 + area.y0, x0=x0 + area.x0)
    return PredictedRegion(window, mask[inner.slices], label, is_cut)


def as_predicted() -> Values:
    """Every class as itself."""
    return np.arange(256, dtype=np.uint8)


def as_not_predicted() -> Values:
    """Every class as "not" it."""
    values = np.full(256, IGNORE_INDEX, np.uint8)
    values[: IGNORE_INDEX - NOT_CLASS] = np.arange(NOT_CLASS, IGNORE_INDEX)
    return values


class PredictionPainting:
    """What is predicted inside an outline.

    Parameters
    ----------
    store
        The prediction; pixels without one are left as they are.
    outline
        Where.
    values
        What each class is painted as.
    """

    def __init__(self, store: PredictionStore, outline: Painting, values: Values) -> None:
        self._store, self._outline, self._values = store, outline, values

    @property
    def window(self) -> Window:
        """The smallest window around the outline."""
        return self._outline.window

    def patch(self, window: Window) -> Patch | None:
        """What to paint in a window inside the image."""
        inside = self._outline.patch(window)
        if inside is None:
            return None
        labels = self._values[self._store.read_labels(window)]
        known = labels != IGNORE_INDEX
        return Patch(known if inside.mask is None else known & inside.mask, labels)
