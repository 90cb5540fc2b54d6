"""What a file of classes was found to say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

SHOWN = 5
"""Features of a kind that are named one by one, at most."""


@dataclass(frozen=True)
class FoundClass:
    """One of the classes of a file."""

    key: str
    """What the file says: a value such as ``"5"``, a colour ``#rrggbb``, or a text; empty for
    an object of which it says nothing."""
    count: int
    """Its objects, or its pixels."""
    name: str = ""
    """What the file calls the value; empty where it does not."""
    color: str | None = None
    """``#rrggbb`` that the file gives it."""
    suggested: int | None = None
    """What it most likely means, a value of ``correction_values``; None: not known."""

    @property
    def title(self) -> str:
        """As a person reads it."""
        if self.name and self.name != self.key:
            return f"{self.key} {self.name}"
        return self.key or "(no class)"


class Unusable(NamedTuple):
    """An object that cannot be drawn."""

    number: int
    """Its feature id in the file."""
    reason: str
    """Why, e.g. ``"is empty"``."""


@dataclass(frozen=True)
class ImportSummary:
    """What a file says, and how it lies over an image."""

    classes: tuple[FoundClass, ...]
    """Those that are not known first, then the most frequent ones."""
    unit: Literal["objects", "pixels"]
    """What is counted."""
    placed: str
    """A sentence: how it is laid over the image."""
    columns: tuple[str, ...] = ()
    """Of a vector file: all that could say the class."""
    column: str | None = None
    """The one that does."""
    repaired: tuple[int, ...] = ()
    """Feature ids of the outlines that were mended."""
    unusable: tuple[Unusable, ...] = ()
    """What is left out."""
    outside: int = 0
    """Objects that do not lie over the image."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences that a person should read before it is imported."""
        found = []
        if self.repaired:
            one = len(self.repaired) == 1
            found.append(
                f"{_count(len(self.repaired), 'invalid outline')} {'was' if one else 'were'} "
                f"repaired ({_listed('feature', self.repaired)})."
            )
        for reason in dict.fromkeys(u.reason for u in self.unusable):
            numbers = [u.number for u in self.unusable if u.reason == reason]
            left = "is left out" if len(numbers) == 1 else "are left out"
            found.append(
                f"{_count(len(numbers), 'object')} {left}: {reason} "
                f"({_listed('feature', numbers)})."
            )
        if self.outside:
            verb = "lies" if self.outside == 1 else "lie"
            found.append(f"{_count(self.outside, 'object')} {verb} beside the image.")
        return tuple(found)


class ImportProgress(NamedTuple):
    """How far a file was looked through."""

    done: int
    """Parts done."""
    total: int
    """Parts in all."""
    summary: ImportSummary | None = None
    """At the end."""


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _listed(thing: str, numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:SHOWN]))
    rest = f" and {len(numbers) - SHOWN:,} more" if len(numbers) > SHOWN else ""
    return f"{thing}{'' if len(numbers) == 1 else 's'} {shown}{rest}"
