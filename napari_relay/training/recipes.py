"""Label recipes: classes computed from the image itself, for first models."""

from __future__ import annotations

from typing import Protocol

from napari_relay.images.pyramid import PyramidImage
from napari_relay.training.labels import LabelSource
from napari_relay.training.slope_labels import SlopeLabels
from napari_relay.training.stain_labels import StainLabels
from relay_tokens import ClassSchema, UserError
from relay_tokens.metadata import Normalization


class LabelRecipe(LabelSource, Protocol):
    """A label source that knows its classes."""

    @property
    def name(self) -> str:
        """What the recipe is called on the command line."""
        ...

    @property
    def classes(self) -> ClassSchema:
        """What the label values mean."""
        ...

    @property
    def normalization(self) -> Normalization:
        """How a model of these classes sees its bands."""
        ...


def recipe_names() -> tuple[str, ...]:
    """Names that :func:`label_recipe` knows."""
    return StainLabels.name, SlopeLabels.name


def label_recipe(name: str, image: PyramidImage) -> LabelRecipe:
    """Make the recipe ``name`` for an image.

    Raises
    ------
    UserError
        When there is no such recipe, or the image does not suit it.
    """
    if name == StainLabels.name:
        return StainLabels(image)
    if name == SlopeLabels.name:
        return SlopeLabels(image)
    raise UserError(f"There are no {name!r} labels; choose one of {', '.join(recipe_names())}.")
