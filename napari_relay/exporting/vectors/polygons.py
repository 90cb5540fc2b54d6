"""Objects of a prediction with their outlines, one by one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import shapely

from napari_relay.exporting.vectors.finding import ALL, ObjectFinder
from napari_relay.exporting.vectors.ground import Ground
from napari_relay.exporting.vectors.options import ObjectOptions
from napari_relay.exporting.vectors.outlines import ExactOutlines, Outlines
from napari_relay.exporting.vectors.predicted_object import PredictedObject
from napari_relay.exporting.vectors.simplifying import SimplifiedOutlines
from napari_relay.exporting.vectors.strips import read_strips
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore


@dataclass(frozen=True)
class ObjectPolygon:
    """One connected object of a prediction with its outline."""

    object: PredictedObject
    """Class, area, confidence and more."""
    polygon: shapely.Polygon | shapely.MultiPolygon
    """In level-0 pixel corners ``(x, y)``, holes kept."""


def iter_polygons(
    store: PredictionStore, image: PyramidImage, options: ObjectOptions = ALL
) -> Iterator[ObjectPolygon]:
    """Objects of a prediction with their outlines, in the order in which they end.

    Memory grows with the objects that a strip of the image cuts, not with the image.

    Parameters
    ----------
    store
        The prediction.
    image
        What was predicted.
    options
        Which objects are wanted, and how much their outlines are simplified.

    Raises
    ------
    UserError
        When a class is not the model's; when ``within`` is given and rasterio is
        not installed.
    """
    finder = ObjectFinder(store, image, options, outlines_of(store, image, options))
    for strip in read_strips(store):
        for found in finder.find(strip):
            yield from map(ObjectPolygon, found.described, found.polygons)


def outlines_of(store: PredictionStore, image: PyramidImage, options: ObjectOptions) -> Outlines:
    """What makes the outlines that are asked for."""
    if not options.simplify:
        return ExactOutlines()
    wanted = options.label_flags(store.classes)
    return SimplifiedOutlines(options.simplify, Ground.of(image), wanted)
