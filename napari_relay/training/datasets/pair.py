"""An image file and its mask file, by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from napari_relay.training.datasets.dataset import Sample, Split
from napari_relay.training.datasets.layout import listed
from napari_relay.training.datasets.mask_file import ClassTable, MaskFile
from relay_tokens import UserError


class Pair(NamedTuple):
    """Files of one sample."""

    name: str
    """Of the sample."""
    split: Split
    """What it is used for."""
    image: Path
    """It exists."""
    mask: Path
    """It may be missing."""

    def sample(self, bands: tuple[str, ...], table: ClassTable) -> Sample:
        """The sample, with what its bands are called and its mask's pixels mean."""
        return Sample(self.name, self.split, (self.image,), bands, MaskFile(self.mask, table))


def require_masks(pairs: Sequence[Pair], remedy: str) -> None:
    """Refuse images without a mask.

    Raises
    ------
    UserError
        Naming the first missing masks, and the remedy, a clause such as ``"draw it"``.
    """
    lost = [str(pair.mask) for pair in pairs if not pair.mask.exists()]
    if lost:
        raise UserError(f"The mask {listed(lost)} is missing; {remedy}.")
