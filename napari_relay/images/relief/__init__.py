"""Relief of a terrain, worked out from its elevation window by window.

Hillshade, slope, local relief, sky-view factor and openness with the definitions
and the parameters of the Relief Visualization Toolbox (RVT), as bands of an image.
"""

from __future__ import annotations

from napari_relay.images.relief.bands import elevation_band, matching_bands, with_relief
from napari_relay.images.relief.kept import kept_in_memory
from napari_relay.images.relief.styles import STYLES, ReliefStyle

__all__ = [
    "STYLES",
    "ReliefStyle",
    "elevation_band",
    "kept_in_memory",
    "matching_bands",
    "with_relief",
]
