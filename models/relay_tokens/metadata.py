"""What a person must know to use a model's weights rightly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from relay_tokens.errors import UserError
from relay_tokens.schema import ClassSchema

Normalization = Literal["fixed", "local"]


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
        for name in ("mean", "std"):
            if len(getattr(self, name)) != len(self.bands):
                raise UserError(
                    f"{name} has {len(getattr(self, name))} values for {len(self.bands)} bands "
                    f"in the metadata of {self.name}; give one value a band."
                )
        if any(s <= 0 for s in self.std):
            raise UserError(f"std of {self.name} is {self.std}; every value must be positive.")
