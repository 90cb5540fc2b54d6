"""The size of an image's pixels, for a person to read."""

from __future__ import annotations

from napari_relay.images.pyramid import PyramidImage


def pixel_size_text(image: PyramidImage) -> str:
    """E.g. ``0.5 µm`` or ``0.25 × 0.5 m`` (width × height); ``unknown`` without one."""
    if image.pixel_size is None:
        return "unknown"
    rows, cols = image.pixel_size
    unit = (image.unit or "").replace("um", "µm")
    size = f"{cols:g}" if rows == cols else f"{cols:g} × {rows:g}"
    return f"{size} {unit}".strip()
