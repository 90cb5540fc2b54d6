"""Layers of labels and of scores as rasters, and our rasters as layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dask.array as da
from napari.utils import progress
from napari.utils.colormaps import Colormap

from napari_relay.exporting import ExportProgress
from napari_relay.exporting.placement import Placement
from napari_relay.exporting.rasters.description import RasterDescription
from napari_relay.exporting.rasters.export import export_array
from napari_relay.exporting.rasters.level import PixelSource
from napari_relay.exporting.rasters.options import Quantity
from napari_relay.exporting.rasters.reading import open_values
from napari_relay.images import PyramidImage
from napari_relay.widgets.image_layer import pad_alike, placement
from napari_relay.widgets.layer_files.classes import classes_of
from napari_relay.widgets.layer_files.place import place_metadata, place_of, placement_from
from napari_relay.widgets.score_overlay import QUANTITY_KEY, SCORES, clear_below
from napari_relay.widgets.session_layers import class_colormap, class_features
from napari_relay.widgets.shown_levels import PaintLevels, shown_label
from relay_tokens import ClassSchema, UserError

LayerData = tuple[Any, dict[str, Any], str]


# --- writing


def write_labels(path: Path, data: Any, meta: Mapping[str, Any]) -> None:
    """Write a Labels layer as a class mask, with its classes and its place.

    Corrections are written as they are stored, not one higher as they are shown.

    Raises
    ------
    UserError
        When it has more than two dimensions or a label that is no class, or the
        file cannot be written.
    """
    corrections = isinstance(data, PaintLevels)
    levels = list(data.pyramid.levels) if corrections else _levels(data)
    classes = classes_of(meta, shown_label) if corrections else classes_of(meta)
    placement, shape = _place(levels[0], meta)
    described = RasterDescription("classes", ("classes",), classes, placement)
    _run(export_array(levels, path, described, shape))


def write_score(path: Path, data: Any, meta: Mapping[str, Any]) -> None:
    """Write a layer of confidence, entropy or disagreement.

    Raises
    ------
    UserError
        When it is another image, or the file cannot be written.
    """
    quantity: Quantity | None = meta.get("metadata", {}).get(QUANTITY_KEY)
    if quantity is None:
        raise UserError(
            f"{meta.get('name', 'The layer')} is an image and not a score of napari-relay; "
            f"choose another way to save it as {path.name}."
        )
    levels = _levels(data)
    placement, shape = _place(levels[0], meta)
    described = RasterDescription(quantity, (quantity,), None, placement)
    _run(export_array(levels, path, described, shape))


def _levels(data: Any) -> list[PixelSource]:
    levels = list(data) if isinstance(data, Sequence) else [data]
    if len(levels[0].shape) != 2:
        raise UserError(
            f"The layer has {len(levels[0].shape)} dimensions and a mask has two; "
            "save one plane of it."
        )
    return _halves(levels)


def _halves(levels: Sequence[PixelSource]) -> list[PixelSource]:
    """Full resolution, and the levels after it that are half as wide as the one before."""
    kept = [levels[0]]
    for level in levels[1:]:
        if tuple(level.shape) != tuple(-(-side // 2) for side in kept[-1].shape):
            break
        kept.append(level)
    return kept


def _place(full: PixelSource, meta: Mapping[str, Any]) -> tuple[Placement, tuple[int, int]]:
    rows, cols = full.shape
    place = place_of(meta, (rows, cols))
    if place is None:
        return placement_from(meta), (rows, cols)
    return place.placement, (min(rows, place.shape[0]), min(cols, place.shape[1]))


def _run(steps: Iterator[ExportProgress]) -> None:
    """Run an export to its end; napari's progress keeps the window alive meanwhile."""
    with progress(total=0, desc="Saving") as bar:
        for step in steps:
            bar.total, bar.n = step.total, step.done
            bar.refresh()


# --- reading


def raster_layers(path: Path, description: RasterDescription) -> list[LayerData]:
    """The layers that show a raster of ours.

    Raises
    ------
    UserError
        When it cannot be read.
    """
    image = open_values(path, description)
    name = path.name.partition(".")[0]
    if description.is_mask:
        return [_labels(image, description.classes, name)]
    if description.quantity == "probabilities" and description.classes is not None:
        return _probabilities(image, description.classes)
    return [_score(image, description.quantity, name)]


def _labels(image: PyramidImage, classes: ClassSchema | None, name: str) -> LayerData:
    arguments = {**_arguments(image), "name": name}
    if classes is not None:
        arguments |= {"colormap": class_colormap(classes), "features": class_features(classes)}
    return _band(image, 0), {**arguments, "opacity": 0.5}, "labels"


def _score(image: PyramidImage, quantity: Quantity, name: str) -> LayerData:
    score = {str(key): value for key, value in SCORES.items()}[quantity]
    arguments = {**_arguments(image), "name": f"{name}: {score.title.lower()}"}
    arguments["metadata"] = {**arguments["metadata"], QUANTITY_KEY: quantity}
    colors = {"colormap": clear_below(score.colormap), "contrast_limits": (1, 255)}
    return _band(image, 0), {**arguments, **colors, "opacity": 0.7}, "image"


def _probabilities(image: PyramidImage, classes: ClassSchema) -> list[LayerData]:
    layers: list[LayerData] = []
    for band, member in enumerate(classes):
        arguments = {
            **_arguments(image),
            "name": f"Probability of {member.name}",
            "colormap": Colormap(["black", member.color], name=member.name),
            "contrast_limits": (0, 255),
            "blending": "additive",
        }
        layers.append((_band(image, band), arguments, "image"))
    return layers


def _arguments(image: PyramidImage) -> dict[str, Any]:
    return {
        "multiscale": len(image.levels) > 1,
        "cache": False,
        "metadata": place_metadata(image),
        **placement(image),
    }


def _band(image: PyramidImage, band: int) -> list[da.Array] | da.Array:
    """Levels ``(y, x)`` of a band, filled up with the value for no data."""
    fill = int(image.nodata or 0)
    levels = pad_alike([level[..., band] for level in image.levels], image.factors, fill)
    return levels if len(levels) > 1 else levels[0]
