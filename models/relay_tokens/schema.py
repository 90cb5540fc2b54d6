"""The classes a model tells apart: their order, names and colours."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from relay_tokens.errors import UserError

IGNORE_INDEX = 255
"""Label value of a pixel without a class: never trained on, never shown."""

# Okabe & Ito (2008): colours that colour-blind people tell apart; their black is a dark grey here,
# for on black images it would not be seen.
PALETTE = (
    "#666666",
    "#e69f00",
    "#0072b2",
    "#cc79a7",
    "#009e73",
    "#d55e00",
    "#56b4e9",
    "#f0e442",
)
"""Colours of classes, ``#rrggbb``, after Okabe and Ito (2008)."""


@dataclass(frozen=True)
class SegmentationClass:
    """One class of a :class:`ClassSchema`."""

    name: str
    """What the class is called, as a person reads it."""
    color: str
    """Display colour as ``#rrggbb``."""

    def __post_init__(self) -> None:
        if not re.fullmatch(r"#[0-9a-fA-F]{6}", self.color):
            raise UserError(
                f"Class {self.name!r} has the colour {self.color!r}; write it as #rrggbb."
            )


@dataclass(frozen=True)
class ClassSchema:
    """The classes of a model or of a set of corrections, in label order."""

    classes: tuple[SegmentationClass, ...]
    """Class ``i`` has the label value ``i``; 255 is no class (ignore index)."""

    def __post_init__(self) -> None:
        if not 1 <= len(self.classes) < IGNORE_INDEX:
            raise UserError(
                f"A class schema has {len(self.classes)} classes; it needs 1 to {IGNORE_INDEX - 1}."
            )
        if len(set(self.names)) != len(self.classes):
            raise UserError(
                f"Two classes share a name in {', '.join(self.names)}; rename one of them."
            )

    @classmethod
    def from_names(cls, names: Sequence[str]) -> ClassSchema:
        """Give the classes ``names`` the colours of :data:`PALETTE`, in turn."""
        colors = (PALETTE[i % len(PALETTE)] for i in range(len(names)))
        return cls(tuple(map(SegmentationClass, names, colors)))

    @property
    def names(self) -> tuple[str, ...]:
        """Class names in label order."""
        return tuple(c.name for c in self.classes)

    @property
    def colors(self) -> tuple[str, ...]:
        """Class colours ``#rrggbb`` in label order."""
        return tuple(c.color for c in self.classes)

    def __len__(self) -> int:
        return len(self.classes)

    def __iter__(self) -> Iterator[SegmentationClass]:
        return iter(self.classes)
