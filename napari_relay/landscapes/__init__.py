"""Sample landscapes: archaeological terrain whose classes depend on far context.

A generator in the spirit of airborne laser scanning over a Khmer-like site.
``docs/landscapes.md`` says what makes a mound a mound.
"""

from __future__ import annotations

from napari_relay.landscapes.labels import LANDSCAPE_CLASSES
from napari_relay.landscapes.landscape import Landscape, LandscapePatch
from napari_relay.landscapes.pyramid import LandscapeLabels, landscape_image
from napari_relay.landscapes.writing import WriteProgress, write_landscape

__all__ = [
    "LANDSCAPE_CLASSES",
    "Landscape",
    "LandscapeLabels",
    "LandscapePatch",
    "WriteProgress",
    "landscape_image",
    "write_landscape",
]
