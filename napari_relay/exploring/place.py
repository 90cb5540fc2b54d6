"""The two windows around a place of an image."""

from __future__ import annotations

import math
from typing import NamedTuple

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from relay_tokens import RelaySegmenter, UserError


class Place(NamedTuple):
    """A level-0 pixel of an image."""

    row: int
    """From 0 at the top."""
    col: int
    """From 0 at the left."""


class PlaceWindows(NamedTuple):
    """What a model reads when it looks at a place."""

    local: Window
    """Window of the local crop; it may reach beyond the image."""
    global_: Window
    """Window of the global crop around it; in a single-scale model the same."""
    pixel: tuple[int, int]
    """``(row, col)`` of the place in the local crop."""


def windows_at(place: Place, image: PyramidImage, model: RelaySegmenter) -> PlaceWindows:
    """Centre the two windows on a place, as well as whole patches allow.

    The local window begins where a patch of the prediction begins, so that the
    patches that are probed are those that were predicted: its middle is at most
    half a patch away from the place, on each axis. Near the border both windows
    reach beyond the image, where it is read as its own reflection
    (:meth:`PyramidImage.read`).

    Raises
    ------
    UserError
        When the place is outside the image.
    """
    require_inside(place, image)
    crop, patch = model.config.crop_size, model.stride
    y0, x0 = (math.floor((p + 0.5 - crop / 2) / patch + 0.5) * patch for p in place)
    local = Window(y0, x0, crop, crop)
    factor = model.config.context_factor
    wide = local if factor is None else local.around(factor)
    return PlaceWindows(local, wide, (place.row - y0, place.col - x0))


def require_inside(place: Place, image: PyramidImage) -> None:
    """Refuse a place that is not a pixel of the image.

    Raises
    ------
    UserError
        Naming the image and its size.
    """
    height, width = image.shape
    if not (0 <= place.row < height and 0 <= place.col < width):
        raise UserError(
            f"Row {place.row}, column {place.col} is outside {image.source.name}; "
            f"choose a place within its {height} × {width} pixels."
        )
