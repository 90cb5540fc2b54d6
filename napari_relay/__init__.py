"""napari-relay: relay-token segmentation of ultra-high-resolution images in napari."""

from __future__ import annotations

__version__ = "0.1.0"
