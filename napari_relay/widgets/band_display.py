"""Which bands of an image a person sees, and with what contrast."""

from __future__ import annotations

from dataclasses import dataclass
from weakref import WeakKeyDictionary

from napari.layers import Image

from napari_relay.images import PyramidImage
from napari_relay.widgets.image_layer import (
    Limits,
    band_levels,
    default_limits,
    percentile_limits,
    shown_bands,
)


@dataclass(frozen=True)
class BandChoice:
    """What of an image is shown."""

    bands: tuple[int, ...]
    """Indices of the bands that are red, green and blue, one thrice for grey; or of
    the single band of a layer without colours."""
    contrast: tuple[float, float] | None = None
    """Percentages of the pixels, 0 to 100, between which each band is stretched; None:
    as when the image was opened."""


class BandDisplay:
    """Changes what the layers of images show; what a model reads stays the same."""

    def __init__(self) -> None:
        self._choices: WeakKeyDictionary[Image, BandChoice] = WeakKeyDictionary()

    def choice_of(self, layer: Image, image: PyramidImage) -> BandChoice:
        """What is shown of an image by its layer."""
        return self._choices.get(layer) or BandChoice(tuple(shown_bands(image)))

    def show(self, layer: Image, image: PyramidImage, choice: BandChoice) -> None:
        """Show other bands, or with another contrast.

        Parameters
        ----------
        layer
            The layer of the image.
        image
            What it shows.
        choice
            Three bands for a layer with colours, else one.
        """
        if choice == self.choice_of(layer, image):
            return
        limits = _limits(image, choice)
        if layer.rgb or choice.bands != self.choice_of(layer, image).bands:
            layer.data = band_levels(image, choice.bands, limits)
        if not layer.rgb:
            layer.contrast_limits_range = _span(layer.contrast_limits_range, limits[0])
            layer.contrast_limits = limits[0]
        self._choices[layer] = choice


def _limits(image: PyramidImage, choice: BandChoice) -> list[Limits]:
    """Of each band, what becomes black and white."""
    if choice.contrast is not None:
        found = {band: percentile_limits(image, band, *choice.contrast) for band in choice.bands}
        return [found[band] for band in choice.bands]
    if choice.bands == tuple(shown_bands(image)):
        return [default_limits(image, choice.bands)] * len(choice.bands)
    return [default_limits(image, [band]) for band in choice.bands]


def _span(one: Limits, other: Limits) -> Limits:
    return min(one[0], other[0]), max(one[1], other[1])
