"""Colour tables of class masks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relay_tokens import IGNORE_INDEX, ClassSchema


def color_table(classes: ClassSchema | None) -> NDArray[np.uint8]:
    """``(256, 3)``; grey where there is no class, black for 255."""
    colors = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    colors[IGNORE_INDEX] = 0
    for label, member in enumerate(classes or ()):
        colors[label] = list(bytes.fromhex(member.color[1:]))
    return colors
