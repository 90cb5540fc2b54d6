"""Sample landscapes: archaeological terrain whose classes depend on far context.

A generator in the spirit of airborne laser scanning over a Khmer-like site.
``docs/landscapes.md`` says what makes a mound a mound.
"""

from __future__ import annotations

from napari_relay.landscapes.label_source import LandscapeLabels
from napari_relay.landscapes.labels import LANDSCAPE_CLASSES
from napari_relay.landscapes.landscape import Landscape, LandscapePatch
from napari_relay.landscapes.landscape_file import (
    LANDSCAPE_SUFFIX,
    read_landscape_file,
    write_landscape_file,
)
from napari_relay.landscapes.style import LandscapeStyle, Plan, Soil
from napari_relay.landscapes.writing import WriteProgress, write_landscape

__all__ = [
    "LANDSCAPE_CLASSES",
    "LANDSCAPE_SUFFIX",
    "Landscape",
    "LandscapeLabels",
    "LandscapePatch",
    "LandscapeStyle",
    "Plan",
    "Soil",
    "WriteProgress",
    "read_landscape_file",
    "write_landscape",
    "write_landscape_file",
]
