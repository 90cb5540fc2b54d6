"""Images that are read lazily, at several resolutions, one reader a file family."""

from __future__ import annotations

from napari_relay.images.landscape import landscape_image
from napari_relay.images.opening import image_suffixes, open_image
from napari_relay.images.pyramid import Patch, PyramidImage
from napari_relay.images.stack import open_stack

__all__ = [
    "Patch",
    "PyramidImage",
    "image_suffixes",
    "landscape_image",
    "open_image",
    "open_stack",
]
