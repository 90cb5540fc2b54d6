"""Where the pixels of a layer lie in the world, kept in its metadata."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from napari import current_viewer
from napari.layers import Layer

from napari_relay.exporting.placement import Placement
from napari_relay.images import PyramidImage
from napari_relay.widgets.image_layer import UNIT_NAMES, pyramid_of

PLACE_KEY = "napari-relay-place"
"""Key of a layer's metadata under which its :class:`LayerPlace` is found."""


@dataclass(frozen=True)
class LayerPlace:
    """The image whose level-0 pixels a layer's coordinates are."""

    shape: tuple[int, int]
    """Rows and columns of the image; the layer's arrays may be larger."""
    placement: Placement
    """Where it lies."""

    @classmethod
    def of(cls, image: PyramidImage) -> LayerPlace:
        """The place of an image."""
        return cls(image.shape, Placement.of(image))


def place_metadata(image: PyramidImage) -> dict[str, Any]:
    """Metadata of a layer over an image, so that it is saved with its place."""
    return {PLACE_KEY: LayerPlace.of(image)}


def place_of(meta: Mapping[str, Any], shape: tuple[int, ...] | None = None) -> LayerPlace | None:
    """Where a layer lies, from what napari hands to a writer.

    A layer that a person has made lies where the only image in the viewer
    lies, if its pixels are as large, and as many where it has pixels.

    Parameters
    ----------
    meta
        State of the layer.
    shape
        Rows and columns of its array; None: it has none.
    """
    kept = meta.get("metadata", {}).get(PLACE_KEY)
    if isinstance(kept, LayerPlace):
        return kept
    base = _only_base()
    if base is None or not _lies_on(meta, base.scale):
        return None
    image = pyramid_of(base)
    assert image is not None
    return LayerPlace.of(image) if shape in (None, image.shape) else None


def only_image() -> PyramidImage | None:
    """The image in the viewer, if there is one and no other."""
    return pyramid_of(_only_base())


def _only_base() -> Layer | None:
    viewer = current_viewer()
    layers = () if viewer is None else tuple(viewer.layers)
    bases = [layer for layer in layers if pyramid_of(layer) is not None]
    return bases[0] if len(bases) == 1 else None


def _lies_on(meta: Mapping[str, Any], scale: Any) -> bool:
    """Whether a layer that is not rotated has pixels of a scale, from the origin."""
    own = np.asarray(meta.get("scale", (1.0, 1.0)), float)[-2:]
    moved = np.asarray(meta.get("translate", (0.0, 0.0)), float)[-2:]
    return bool(np.allclose(own, scale[-2:]) and np.allclose(moved, 0))


def placement_from(meta: Mapping[str, Any]) -> Placement:
    """Pixel size of a layer of which nothing else is known."""
    names = {long: short for short, long in UNIT_NAMES.items()} | {u: u for u in UNIT_NAMES}
    units = {names.get(str(unit)) for unit in tuple(meta.get("units") or ())[-2:]}
    unit = units.pop() if len(units) == 1 else None
    if unit is None:
        return Placement()
    rows, cols = (float(value) for value in tuple(meta["scale"])[-2:])
    return Placement((rows, cols), unit)
