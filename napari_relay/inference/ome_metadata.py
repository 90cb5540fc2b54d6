"""What a store tells viewers: the metadata of OME-Zarr 0.5 (https://ngff.openmicroscopy.org/0.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import zarr

from napari_relay.geometry import level_translate
from relay_tokens import IGNORE_INDEX, ClassSchema

_VERSION = "0.5"
_UNITS = {"um": "micrometer", "m": "meter"}


@dataclass(frozen=True)
class Placement:
    """Where and how large the image's pixels are."""

    shape: tuple[int, int]
    """Rows and columns of the image, without the padding of the arrays."""
    pixel_size: tuple[float, float] | None
    """``(row, col)`` size of a level-0 pixel in :attr:`unit`; None: unknown."""
    unit: str | None
    """``"um"``, ``"m"``, ``"degree"`` or None."""


def describe_levels(
    folder: zarr.Group,
    name: str,
    count: int,
    placement: Placement,
    path: str = "",
    channels: bool = False,
    cell: int = 1,
    origin: tuple[float, float] = (0.0, 0.0),
    coarser: str = "every second pixel",
) -> None:
    """Describe ``count`` levels of a group as one image.

    Parameters
    ----------
    path
        Where the levels are, from ``folder``; empty: in it.
    channels
        Whether the arrays are ``(c, y, x)``.
    cell
        Level-0 pixels of the image a cell of the first level.
    origin
        Level-0 row and column with which the first cell begins.
    coarser
        What each level has of the one before.
    """
    datasets = [
        {
            "path": f"{path}{level}",
            "coordinateTransformations": _placed(cell * 2**level, placement, channels, origin),
        }
        for level in range(count)
    ]
    image = {
        "name": name,
        "axes": _axes(placement, channels),
        "datasets": datasets,
        "type": coarser,
        "metadata": {"image_shape": list(placement.shape)},
    }
    _describe(folder, {"multiscales": [image]})


def describe_attention(folder: zarr.Group, count: int, stride: int, placement: Placement) -> None:
    """Describe the pyramid of the local branch's attention, with cells of ``stride`` px."""
    name = f"local attention, {stride} px"
    describe_levels(folder, name, count, placement, channels=True, cell=stride)


def describe_labels(parent: zarr.Group, classes: ClassSchema) -> None:
    """Describe the group ``classes`` in ``parent`` as labels, with names and colours."""
    _describe(parent, {"labels": ["classes"]})
    folder = parent["classes"]
    assert isinstance(folder, zarr.Group)
    describe_label_image(folder, classes, "../../")


def describe_label_image(
    folder: zarr.Group, classes: ClassSchema, image: str | None = None
) -> None:
    """Describe a group as a label image, with names and colours.

    Parameters
    ----------
    image
        Where from there the image is that it was made from; None: nowhere near.
    """
    colors: list[dict[str, Any]] = [
        {"label-value": value, "rgba": [*_rgb(color), 255]}
        for value, color in enumerate(classes.colors)
    ]
    colors.append({"label-value": IGNORE_INDEX, "rgba": [0, 0, 0, 0]})
    names = [*enumerate(classes.names), (IGNORE_INDEX, "not predicted")]
    properties = [{"label-value": value, "class": name} for value, name in names]
    label: dict[str, Any] = {"colors": colors, "properties": properties}
    if image is not None:
        label["source"] = {"image": image}
    _describe(folder, {"image-label": {"version": _VERSION, **label}})


def describe_probabilities(folder: zarr.Group, classes: ClassSchema) -> None:
    """Name and colour the channels of the probabilities."""
    describe_channels(folder, [(c.name, c.color[1:].upper()) for c in classes], (0, 255))


def describe_channels(
    folder: zarr.Group,
    channels: Sequence[tuple[str, str]],
    limits: tuple[float, float],
    shown: int | None = None,
) -> None:
    """Name and colour the channels of an image.

    Parameters
    ----------
    channels
        Name and colour, ``RRGGBB``, of each.
    limits
        The least and the largest value.
    shown
        Which is shown at first; None: all.
    """
    low, high = limits
    window = {"min": low, "max": high, "start": low, "end": high}
    described = [
        {"label": name, "color": color, "window": window, "active": shown in (None, k)}
        for k, (name, color) in enumerate(channels)
    ]
    _describe(folder, {"omero": {"channels": described}})


def _describe(folder: zarr.Group, content: dict[str, Any]) -> None:
    known = folder.attrs.asdict().get("ome", {})
    assert isinstance(known, dict)
    folder.attrs["ome"] = {**known, "version": _VERSION, **content}


def _axes(placement: Placement, channels: bool) -> list[dict[str, str]]:
    unit = _UNITS.get(placement.unit or "") if placement.pixel_size else None
    spatial = [{"name": name, "type": "space"} for name in "yx"]
    known = [{**axis, "unit": unit} for axis in spatial] if unit else spatial
    return [{"name": "c", "type": "channel"}, *known] if channels else known


def _placed(
    factor: int, placement: Placement, channels: bool, origin: tuple[float, float]
) -> list[dict[str, Any]]:
    """Scale and translation of a level, in the image's unit (in pixels where it has none)."""
    sizes = placement.pixel_size or (1.0, 1.0)
    scale = [float(factor * size) for size in sizes]
    middle = level_translate(factor)
    translation = [float((o + middle) * size) for o, size in zip(origin, sizes, strict=True)]
    return [
        {"type": "scale", "scale": _with_channel(scale, 1.0, channels)},
        {"type": "translation", "translation": _with_channel(translation, 0.0, channels)},
    ]


def _with_channel(values: Sequence[float], channel: float, channels: bool) -> list[float]:
    return [channel, *values] if channels else list(values)


def _rgb(color: str) -> tuple[int, int, int]:
    red, green, blue = bytes.fromhex(color[1:])
    return red, green, blue
