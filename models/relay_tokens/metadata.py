"""What a person must know to use a model's weights rightly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Literal, get_args

from relay_tokens.errors import UserError
from relay_tokens.schema import ClassSchema

Normalization = Literal["fixed", "image", "local"]
"""How a band becomes what a model sees; see :attr:`ModelMetadata.normalization`."""
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
    """Mean of each band in the training data, in the image's own values."""
    std: tuple[float, ...]
    """Spread of each band in the training data; positive."""
    normalization: Normalization | tuple[Normalization, ...] = "fixed"
    """How bands become the numbers a model sees: one word for all bands, or a tuple
    of one for each; a tuple of equal words becomes the word.

    ``fixed``: ``(value - mean) / std``, with the training data's mean and spread
    (others call this "global", a word that here belongs to the global crop);
    ``image``: the same with the mean and spread of the image at hand, for bands
    whose brightness differs from survey to survey;
    ``local``: ``(value - mean of the valid pixels of the global crop) / std``, for
    terrain, whose absolute height says nothing."""
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
        self._require_normalization()
        size = self.pixel_size
        positive = size is None or (_is_number(size) and size > 0)
        self._require(positive, "pixel_size", "None or a positive number")
        self._require(self.unit in (None, *UNITS), "unit", f"None or one of {', '.join(UNITS)}")
        self._require(isinstance(self.training, Mapping), "training", "a mapping")

    @property
    def band_normalization(self) -> tuple[Normalization, ...]:
        """The word of :attr:`normalization` for each band."""
        if isinstance(self.normalization, tuple):
            return self.normalization
        return (self.normalization,) * len(self.bands)

    def _require_normalization(self) -> None:
        """Check the words, and write equal ones as one."""
        words, known = self.normalization, get_args(Normalization)
        given = words if isinstance(words, tuple) else (words,)
        fits = not isinstance(words, tuple) or len(words) == len(self.bands)
        expected = f"{', '.join(known[:-1])} or {known[-1]}, or one of these for each band"
        self._require(fits and all(w in known for w in given), "normalization", expected)
        if len(set(given)) == 1:
            object.__setattr__(self, "normalization", given[0])

    def _require(self, holds: bool, name: str, expected: str) -> None:
        if not holds:
            raise UserError(
                f"{name} is {getattr(self, name)!r} in the metadata of {self.name}; "
                f"it must be {expected}."
            )


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
