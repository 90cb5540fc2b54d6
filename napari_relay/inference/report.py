"""What a prediction run did."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

Yielded = TypeVar("Yielded")
Returned = TypeVar("Returned")


@dataclass(frozen=True)
class PredictionReport:
    """What one run of ``predict`` did, to its end."""

    source: Path
    """The image."""
    predicted: int
    """Tiles that this run predicted."""
    total: int
    """Tiles that were asked for."""
    skipped: int
    """Of those, tiles without data or with nothing but glass, in earlier runs too."""
    skipped_share: float
    """Their share of the pixels that were asked for, 0 ... 1."""
    damaged_chunks: int
    """Parts of the file that could not be decoded; they count as without data."""
    seam_score: float | None
    """See :class:`~napari_relay.inference.seams.SeamMeter`, over this run's tiles; None
    for fewer than two that touch."""
    notices: tuple[str, ...]
    """What a person should know, one sentence each."""
    seconds: float
    """Wall-clock time of this run."""

    @property
    def tiles_per_second(self) -> float:
        """Speed of this run."""
        return self.predicted / self.seconds if self.seconds else 0.0

    @property
    def sentences(self) -> tuple[str, ...]:
        """The report for a person to read: what was done, and what to look at."""
        done = f"Predicted {_tiles(self.predicted)} in {self.seconds:.1f} s"
        parts = [f"{done} ({self.tiles_per_second:.1f} tiles/s)"]
        if self.skipped:
            share = f"{self.skipped_share:.1%} of the area"
            parts.append(f"skipped {_tiles(self.skipped)} of background ({share})")
        if self.seam_score is not None:
            parts.append(f"seam score {self.seam_score:.2f} (1: no seams)")
        return (f"{'; '.join(parts)}.", *self._damage())

    def _damage(self) -> tuple[str, ...]:
        if not self.damaged_chunks:
            return ()
        what = "part" if self.damaged_chunks == 1 else "parts"
        return (
            f"{self.damaged_chunks} {what} of {self.source} could not be decoded and count as "
            "without data; copy the file again if that is too much.",
        )


def _tiles(count: int) -> str:
    return f"{count} tile" if count == 1 else f"{count} tiles"


class WithReport(Generic[Yielded, Returned]):
    """Iterates over a generator and keeps what it returns at its end."""

    def __init__(self, generator: Generator[Yielded, None, Returned]) -> None:
        self._generator = generator
        self.report: Returned | None = None
        """None until the generator came to its end."""

    def __iter__(self) -> Iterator[Yielded]:
        self.report = yield from self._generator

    def close(self) -> None:
        """Stop the generator."""
        self._generator.close()
