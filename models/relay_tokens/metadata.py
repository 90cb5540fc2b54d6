"""What a person must know to use a model's weights rightly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, get_args

from relay_tokens.errors import UserError
from relay_tokens.schema import ClassSchema

Normalization = Literal["fixed", "local"]
UNITS = ("um", "m", "degree")


@dataclass(frozen=True)
class ModelMetadata:
    """The data a model was trained on, as far as its use depends on it."""

    name: str
    """Short name, e.g. ``tissue-vit-tiny``."""
    classes: ClassSchema
    """What each output channel means."""
    bands: tuple[str, ...]
    """Name of each input channel, in order, e.g. ``("red", "green", "blue")``."""
    mean: tuple[float, ...]
    """Subtracted from each band, in the image's own values."""
    std: tuple[float, ...]
    """Divides each band after the subtraction; positive."""
    normalization: Normalization = "fixed"
    """``fixed``: subtract :attr:`mean`; ``local``: subtract the mean of the valid
    pixels of the global crop instead (terrain, whose absolute height says nothing)."""
    pixel_size: float | None = None
    """Side of a pixel the model was trained at, in :attr:`unit`."""
    unit: str | None = None
    """Unit of :attr:`pixel_size`: ``"um"``, ``"m"`` or ``"degree"``."""
    training: Mapping[str, Any] = field(default_factory=dict)
    """Record of the training: command, data, steps, held-out scores."""

    def __post_init__(self) -> None:
        strings = isinstance(self.bands, tuple) and all(isinstance(b, str) for b in self.bands)
        self._require(strings, "bands", "a list of names")
        for name in ("mean", "std"):
            values = getattr(self, name)
            numbers = isinstance(values, tuple) and all(map(_is_number, values))
            self._require(numbers, name, "a list of numbers")
            self._require(len(values) == len(self.bands), name, "one value a band")
        self._require(all(s > 0 for s in self.std), "std", "positive in every band")
        known = get_args(Normalization)
        self._require(self.normalization in known, "normalization", " or ".join(known))
        size = self.pixel_size
        positive = size is None or (_is_number(size) and size > 0)
        self._require(positive, "pixel_size", "None or a positive number")
        self._require(self.unit in (None, *UNITS), "unit", f"None or one of {', '.join(UNITS)}")
        self._require(isinstance(self.training, Mapping), "training", "a mapping")

    def _require(self, holds: bool, name: str, expected: str) -> None:
        if not holds:
            raise UserError(
                f"{name} is {getattr(self, name)!r} in the metadata of {self.name}; "
                f"it must be {expected}."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
