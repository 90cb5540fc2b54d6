"""The page that goes with a model: what it is, how it was made, how good it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from relay_tokens import ModelMetadata, RelayConfig


def model_card(config: RelayConfig, metadata: ModelMetadata, parameters: int) -> str:
    """Write a model card in Markdown.

    Parameters
    ----------
    config, metadata
        The model's. ``metadata.training`` holds what :func:`train_model` records.
    parameters
        Number of the model's parameters.
    """
    record = metadata.training
    sections = [
        f"# {metadata.name}",
        _what(config, metadata, parameters),
        "## Classes\n\n" + "\n".join(f"- {name}" for name in metadata.classes.names),
        "## Training\n\n" + _training(record),
        "## Scores on held-out blocks\n\n" + _scores(record.get("held_out", {})),
        "## Limits\n\n" + str(record.get("limits", "Not examined.")),
        "## Licence\n\n" + str(record.get("licence", "Not stated.")),
    ]
    return "\n\n".join(sections) + "\n"


def _what(config: RelayConfig, metadata: ModelMetadata, parameters: int) -> str:
    wide = config.context_factor
    context = f"and a global crop {wide} times wider" if wide else "alone (single-scale)"
    relay = f", {config.num_relay_tokens} relay tokens ({config.exchange} exchange)" if wide else ""
    size = f"{metadata.pixel_size:g} {metadata.unit}" if metadata.pixel_size else "unknown"
    return (
        f"Segments {', '.join(metadata.bands)} images into {len(metadata.classes)} classes. "
        f"It reads a local crop of {config.crop_size} px {context}: `{config.backbone}`"
        f"{_options(config.backbone_options)}{relay}, {parameters / 1e6:.2f} M parameters. "
        f"Pixel size in training: {size}."
    )


def _options(options: Mapping[str, Any]) -> str:
    named = ", ".join(f"{name} {value}" for name, value in sorted(options.items()))
    return f" ({named})" if named else ""


def _training(record: Mapping[str, Any]) -> str:
    options = record.get("options", {})
    rows = {
        "Image": record.get("image"),
        "Labels": record.get("labels"),
        "Command": f"`{record['command']}`" if record.get("command") else None,
        "Steps": f"best after {record.get('steps')} of {options.get('steps')}, "
        f"batches of {options.get('batch_size')} crop pairs",
        "Learning rate": f"{options.get('learning_rate')}, {options.get('schedule')}",
        "Time": f"{record['seconds']} s on {record.get('device')}" if "seconds" in record else None,
        "Seed": options.get("seed"),
        "napari-relay": record.get("napari_relay"),
    }
    return "\n".join(f"- {name}: {value}" for name, value in rows.items() if value is not None)


def _scores(scores: Mapping[str, Any]) -> str:
    if not scores:
        return "Not measured."
    lines = ["| class | IoU |", "| --- | --- |"]
    for name, iou in scores["iou"].items():
        lines.append(f"| {name} | {'does not occur' if iou is None else f'{iou:.3f}'} |")
    lines.append(f"| **mIoU** | **{scores['miou']:.3f}** |")
    note = (
        f"Pixel accuracy {scores['accuracy']:.3f} over {scores['pixels']:,} labelled pixels of "
        "blocks that no training crop touched. The scores compare with the labels named above; "
        "they say how well the model learnt those, not how right those are. The same blocks "
        "chose the best step."
    )
    return "\n".join(lines) + "\n\n" + note
