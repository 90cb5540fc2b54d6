"""Names and colours of what corrections may say of a pixel; see ``correction_values``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_relay.training.correction_values import IGNORED, NOT_CLASS
from relay_tokens import IGNORE_INDEX, ClassSchema

IGNORED_COLOR = "#5e3c99b0"
"""``#rrggbbaa`` of places that are to be ignored."""
_NOT_OPACITY = "66"
_DIMMED = 0.45


def allowed_values(schema: ClassSchema) -> NDArray[np.bool_]:
    """``(256,)``: which values a pixel of corrections may have."""
    allowed = np.zeros(256, np.bool_)
    count = len(schema)
    allowed[:count] = allowed[NOT_CLASS : NOT_CLASS + count] = True
    allowed[[IGNORED, IGNORE_INDEX]] = True
    return allowed


def value_names(schema: ClassSchema) -> dict[int, str]:
    """What each value but 255 says, as a person reads it, in the order of a legend."""
    names = dict(enumerate(schema.names))
    names |= {NOT_CLASS + c: f"not {name}" for c, name in enumerate(schema.names)}
    return names | {IGNORED: "ignored"}


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
