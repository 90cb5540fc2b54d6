"""Connected objects of a prediction, strip by strip."""

from __future__ import annotations

from collections.abc import Iterator

from napari_relay.exporting.vectors.options import ObjectOptions
from napari_relay.exporting.vectors.predicted_object import PredictedObject
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore

ALL = ObjectOptions()


def iter_objects(
    store: PredictionStore, image: PyramidImage, options: ObjectOptions = ALL
) -> Iterator[PredictedObject]:
    """Objects of a prediction, without their outlines, in the order in which they end.

    Raises
    ------
    UserError
        When a class is not the model's.
    """
    raise NotImplementedError
