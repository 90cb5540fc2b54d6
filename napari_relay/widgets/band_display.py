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
    usual_contrast,
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
        self._usual: WeakKeyDictionary[Image, tuple[float, float]] = WeakKeyDictionary()

    def choice_of(self, layer: Image, image: PyramidImage) -> BandChoice:
        """What is shown of an image by its layer."""
        return self._choices.get(layer) or BandChoice(tuple(shown_bands(image)))

    def usual_of(self, layer: Image, image: PyramidImage) -> tuple[float, float]:
        """Percentages between which the bands that are shown are stretched of themselves."""
        if layer not in self._usual:
            bands = self.choice_of(layer, image).bands
            together = bands == tuple(shown_bands(image))
            self._usual[layer] = usual_contrast(image, bands if together else bands[:1])
        return self._usual[layer]

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
        self._usual.pop(layer, None)


def _limits(image: PyramidImage, choice: BandChoice) -> list[Limits]:
    """Of each band, what becomes black and white."""
    if choice.contrast is None and choice.bands == tuple(shown_bands(image)):
        return [default_limits(image, choice.bands)] * len(choice.bands)
    found = {band: _limits_of(image, band, choice.contrast) for band in set(choice.bands)}
    return [found[band] for band in choice.bands]


def _limits_of(image: PyramidImage, band: int, contrast: tuple[float, float] | None) -> Limits:
    if contrast is None:
        return default_limits(image, [band])
    return percentile_limits(image, band, *contrast)


def _span(one: Limits, other: Limits) -> Limits:
    return min(one[0], other[0]), max(one[1], other[1])
