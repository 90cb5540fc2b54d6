"""What the manifest ``napari.yaml`` names: reader, writer, sample, panel."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from napari import current_viewer
from napari.layers import Layer
from napari.utils import progress
from napari.utils.notifications import show_error
from napari.viewer import Viewer

from napari_relay.exporting.rasters.reading import describe_raster
from napari_relay.images import PyramidImage, open_image
from napari_relay.samples import sample_landscape, sample_slide, sample_terrain
from napari_relay.widgets.image_layer import image_layer_data, in_viewer
from napari_relay.widgets.layer_files.rasters import raster_layers, write_labels, write_score
from napari_relay.widgets.layer_files.shapes import is_vector, shapes_layers
from napari_relay.widgets.layer_files.vectors import write_shapes
from napari_relay.widgets.panel import RelayPanel as RelayWidget
from relay_tokens import UserError

__all__ = [
    "RelayWidget",
    "open_landscape_sample",
    "open_slide_sample",
    "open_terrain_sample",
    "read_image",
    "write_mask",
    "write_score_layer",
    "write_shapes_layer",
]

LayerData = tuple[Any, dict[str, Any], str]


def read_image(
    path: str | Sequence[str],
) -> Callable[[str], list[LayerData] | list[tuple[None]]] | None:
    """Give napari a function that opens one image lazily; None for several at once."""
    return read_layers if isinstance(path, str) else None


def read_layers(path: str) -> list[LayerData] | list[tuple[None]]:
    """Open an image and describe its layer, with progress where levels are built.

    A class mask of ours becomes labels with names and colours, a score an image, a
    vector file shapes.

    A file that cannot be opened is told in one sentence, and adds no layer.
    """
    try:
        return _layers(Path(path))
    except UserError as error:
        show_error(str(error))
        return [(None,)]  # npe2: read, and nothing to show


def _layer(path: str) -> LayerData:
    viewer = current_viewer()
    # The panel shows an image at once and builds its levels in the background.
    wait = viewer is None or not _has_panel(viewer)
    data, arguments, kind = image_layer_data(_open(path, wait=wait))
    return data, in_viewer(arguments, viewer.layers if viewer is not None else ()), kind


def _layers(path: Path) -> list[LayerData]:
    description = describe_raster(path)
    if is_vector(path):
        layers = shapes_layers(path)
    elif description is not None:
        layers = raster_layers(path, description)
    else:
        return [_layer(str(path))]
    viewer = current_viewer()
    shown = viewer.layers if viewer is not None else ()
    return [(data, _fitting(arguments, shown), kind) for data, arguments, kind in layers]


def _fitting(arguments: dict[str, Any], shown: Iterable[Layer]) -> dict[str, Any]:
    return in_viewer(arguments, shown) if "units" in arguments else arguments


def _has_panel(viewer: Viewer) -> bool:
    docked = viewer.window.dock_widgets.values()
    return any(isinstance(widget, RelayWidget) for widget in docked)


def _open(path: str, *, wait: bool) -> PyramidImage:
    with progress(total=1, desc=f"Building levels of {Path(path).name}") as bar:

        def advance(done: int, total: int) -> None:
            bar.total = total
            bar.n = done
            bar.refresh()

        return open_image(path, progress=advance, wait=wait)


def open_slide_sample() -> list[LayerData]:
    """Open the real H&E slide that comes with the package."""
    return [_layer(str(sample_slide()))]


def open_terrain_sample() -> list[LayerData]:
    """Open the synthetic terrain that comes with the package."""
    return [_layer(str(sample_terrain()))]


def open_landscape_sample() -> list[LayerData]:
    """Open the synthetic landscape that comes with the package."""
    return [_layer(str(sample_landscape()))]


def write_mask(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Labels layer as a class mask, with the names of its classes and its place."""
    write_labels(Path(path), data, meta)
    return [path]


def write_score_layer(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a layer of confidence, entropy or disagreement, with its place."""
    write_score(Path(path), data, meta)
    return [path]


def write_shapes_layer(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a Shapes layer as GeoJSON or GeoPackage, with its place."""
    write_shapes(Path(path), data, meta)
    return [path]
