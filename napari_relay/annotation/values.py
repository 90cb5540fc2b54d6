"""Colours of what corrections may say of a pixel; see ``correction_values``."""

from __future__ import annotations

from napari_relay.training.correction_values import IGNORED, NOT_CLASS
from relay_tokens import ClassSchema

IGNORED_COLOR = "#5e3c99b0"
"""``#rrggbbaa`` of places that are to be ignored."""
_NOT_OPACITY = "66"
_DIMMED = 0.45


def value_colors(schema: ClassSchema) -> dict[int, str]:
    """``#rrggbb`` of each class, ``#rrggbbaa`` of "not" it (darker, half seen through) and ignored.

    A colour alone tells them apart: napari's labels cannot be hatched.
    """
    colors = dict(enumerate(schema.colors))
    colors |= {NOT_CLASS + c: _dimmed(color) for c, color in enumerate(schema.colors)}
    return colors | {IGNORED: IGNORED_COLOR}


def _dimmed(color: str) -> str:
    channels = (int(int(color[i : i + 2], 16) * (1 - _DIMMED)) for i in (1, 3, 5))
    return "#" + "".join(f"{channel:02x}" for channel in channels) + _NOT_OPACITY
