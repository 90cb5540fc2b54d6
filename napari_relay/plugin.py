"""What the manifest ``napari.yaml`` names: reader, writer, sample, panel."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_relay.samples import sample_slide, sample_terrain
from napari_relay.widgets.panel import RelayPanel as RelayWidget

__all__ = ["RelayWidget", "open_slide_sample", "open_terrain_sample", "read_image", "write_mask"]

LayerData = tuple[Any, dict[str, Any], str]


def read_image(path: str | Sequence[str]) -> Callable[[str], list[LayerData]] | None:
    """Give napari a function that opens one image lazily; None for several at once."""
    return read_layers if isinstance(path, str) else None


def read_layers(path: str) -> list[LayerData]:
    """Open an image and describe its layer.

    Raises
    ------
    UserError
        When it cannot be opened; napari shows the sentence.
    """
    from napari_relay.images import open_image
    from napari_relay.widgets.image_layer import image_layer_data

    return [image_layer_data(open_image(path))]


def open_slide_sample() -> list[LayerData]:
    """Open the real H&E slide that comes with the package."""
    return read_layers(str(sample_slide()))


def open_terrain_sample() -> list[LayerData]:
    """Open the synthetic terrain that comes with the package."""
    return read_layers(str(sample_terrain()))


def write_mask(path: str, data: Any, _meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as a class mask; values above 254 become 255 (no class)."""
    from napari_relay.exporting import export_labels

    return [str(export_labels(data, Path(path)))]
