"""What a person says of a model that is given away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelExportOptions:
    """What a BioImage.IO package says and holds; other formats need none of it."""

    authors: tuple[str, ...] = ()
    """Who made the model; empty: the package names nobody."""
    licence: str | None = None
    """SPDX identifier, such as ``CC-BY-4.0``; None: the one of the training record."""
    training_tiles: bool = False
    """Whether the tiles of its training data go with it, of which fine-tuning reminds a
    model. They are pictures of that data: leave them out where it is not yours to give away."""
