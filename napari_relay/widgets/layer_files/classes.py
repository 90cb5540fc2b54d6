"""The classes of a Labels layer, from its names and colours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import takewhile
from typing import Any

from napari.utils.colormaps import DirectLabelColormap

from relay_tokens import ClassSchema, SegmentationClass, UserError

_MOST = 254


def classes_of(
    meta: Mapping[str, Any], shown: Callable[[int], int] = lambda label: label
) -> ClassSchema | None:
    """Names and colours of the classes, or None where a layer does not name them.

    Parameters
    ----------
    meta
        State of the layer: its ``features`` have the columns ``index`` and
        ``class``, as ours have.
    shown
        The value by which the layer shows a class.
    """
    names, colormap = _names(meta.get("features")), meta.get("colormap")
    if not names or not isinstance(colormap, DirectLabelColormap):
        return None
    labels = list(takewhile(lambda label: shown(label) in names, range(_MOST)))
    try:
        return ClassSchema(
            tuple(SegmentationClass(names[shown(k)], _color(colormap, shown(k))) for k in labels)
        )
    except UserError:
        return None  # no class, or two of one name


def _names(features: Any) -> dict[int, str]:
    if features is None or not {"index", "class"} <= set(features):
        return {}
    pairs = zip(features["index"], features["class"], strict=True)
    return {int(index): str(name) for index, name in pairs}


def _color(colormap: DirectLabelColormap, value: int) -> str:
    rgba = colormap.color_dict.get(value, colormap.color_dict[None])
    return "#" + "".join(f"{round(float(part) * 255):02x}" for part in rgba[:3])
