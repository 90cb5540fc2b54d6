"""The model that is in use, with what belongs to it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from napari_relay.images import PyramidImage
from napari_relay.inference import PredictionStore
from napari_relay.sessions.versions import ModelVersion
from relay_tokens import Checkpoint, ClassSchema


@dataclass(frozen=True)
class ModelInUse:
    """A model with what belongs to it; they change together or not at all."""

    checkpoint: Checkpoint
    """The weights, and what must be known of them."""
    version: ModelVersion
    """Which state of the model they are."""
    image: PyramidImage
    """The image with the bands that the model reads."""
    store: PredictionStore
    """What they have predicted."""


def in_colors(checkpoint: Checkpoint, classes: ClassSchema) -> Checkpoint:
    """The same model with classes of other colours."""
    if classes == checkpoint.metadata.classes:
        return checkpoint
    return replace(checkpoint, metadata=replace(checkpoint.metadata, classes=classes))
