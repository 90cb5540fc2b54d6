"""What the pixels of corrections mean, beyond class ids."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from relay_tokens import IGNORE_INDEX, ClassSchema

NOT_CLASS = 128
"""``NOT_CLASS + c``: whatever it is, it is not class ``c``."""

IGNORED = 254
"""Neither to be learnt nor to be rehearsed: nobody can say what it is."""

MAX_CLASSES = IGNORED - NOT_CLASS
"""Classes that can be corrected: each needs a value for "it" and one for "not it"."""

UNTOUCHED = IGNORE_INDEX
"""Nobody has said anything of it."""


def class_labels(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class ids where a class was painted, 255 elsewhere; of any shape."""
    return np.where(values < NOT_CLASS, values, np.uint8(IGNORE_INDEX))


def excluded_classes(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Class ids where it was said that it is not this class, 255 elsewhere; of any shape."""
    excluded = (values >= NOT_CLASS) & (values < IGNORED)
    return np.where(excluded, values - NOT_CLASS, IGNORE_INDEX).astype(np.uint8)


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
