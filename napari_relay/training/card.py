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
        *_score_sections(record),
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
        "Imported from": record.get("imported_from"),
        "Fine-tuned from": record.get("finetuned_from"),
        "Data": record.get("image"),
        "Labels": record.get("labels"),
        "Command": f"`{record['command']}`" if record.get("command") else None,
        "All commands, data included": record.get("repeat"),
        "Steps": f"best after {record.get('steps')} of {options.get('steps')}, "
        f"batches of {options.get('batch_size')} crop pairs"
        if options
        else None,
        "Learning rate": f"{options.get('learning_rate')}, {options.get('schedule')}"
        if options
        else None,
        "Time": f"{record['seconds']} s on {record.get('device')}" if "seconds" in record else None,
        "Seed": options.get("seed"),
        "napari-relay": record.get("napari_relay"),
    }
    return "\n".join(f"- {name}: {value}" for name, value in rows.items() if value is not None)


def _score_sections(record: Mapping[str, Any]) -> list[str]:
    """Scores on what chose the best step, and on what nothing was chosen by."""
    baseline = record.get("baseline", {})
    held_out, test = record.get("held_out", {}), record.get("test", {})
    sections = []
    if test:
        sections.append(
            "## Scores on test data\n\n"
            + _table(test, baseline.get("test", {}))
            + f"\n\nOver {test['pixels']:,} pixels of {test['data']}; pixel accuracy "
            f"{test['accuracy']:.3f}. Nothing was chosen by them."
        )
    where = record.get("measured_on", "blocks that no training crop touched")
    text = _table(held_out, baseline.get("held_out", {})) if held_out else "Not measured."
    if held_out:
        text += (
            f"\n\nPixel accuracy {held_out['accuracy']:.3f} over {held_out['pixels']:,} labelled "
            f"pixels of {where}, by which the best step was chosen. The scores compare with the "
            "labels named above; they say how well the model learnt those, not how right those are."
        )
    return [*sections, "## Scores on held-out data\n\n" + text]


def _table(scores: Mapping[str, Any], baseline: Mapping[str, Any]) -> str:
    """IoU of each class, beside that of the single-scale baseline where it is known."""
    columns = [("IoU", scores)]
    if baseline:
        columns.append(("single-scale baseline", baseline))
    lines = [
        "| class | " + " | ".join(heading for heading, _ in columns) + " |",
        "| --- |" + " --- |" * len(columns),
    ]
    for name in scores["iou"]:
        lines.append(f"| {name} | " + " | ".join(_iou(c["iou"][name]) for _, c in columns) + " |")
    means = " | ".join(f"**{column['miou']:.3f}**" for _, column in columns)
    return "\n".join([*lines, f"| **mIoU** | {means} |"])


def _iou(value: float | None) -> str:
    return "does not occur" if value is None else f"{value:.3f}"
