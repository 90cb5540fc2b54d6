"""The command ``models``: what the zoo holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from relay_tokens import Checkpoint, ModelMetadata


def models() -> None:
    """List the models that come with napari-relay."""
    from relay_tokens import load_model, zoo_names

    table = Table()
    for heading in ("model", "bands", "classes", "pixel size", "size", "held-out mIoU"):
        table.add_column(heading, no_wrap=heading == "model")
    for name in zoo_names():
        table.add_row(*_row(load_model(name)))
    Console().print(table)


def _row(checkpoint: Checkpoint) -> tuple[str, ...]:
    metadata = checkpoint.metadata
    size = sum(p.numel() * p.element_size() for p in checkpoint.model.parameters()) / 1e6
    return (
        metadata.name,
        ", ".join(metadata.bands),
        ", ".join(metadata.classes.names),
        pixel_size_text(metadata),
        f"{size:.1f} MB",
        _score_text(metadata),
    )


def pixel_size_text(metadata: ModelMetadata) -> str:
    """Write the pixel size a model was trained at, e.g. ``0.499 µm``."""
    if metadata.pixel_size is None:
        return "any"
    return f"{metadata.pixel_size:g} {(metadata.unit or '').replace('um', 'µm')}".strip()


def _score_text(metadata: ModelMetadata) -> str:
    score = metadata.training.get("held_out", {}).get("miou")
    return "–" if score is None else f"{score:.2f}"
