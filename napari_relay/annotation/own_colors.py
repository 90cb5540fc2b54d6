"""Colours that a person chose for classes, kept for every image with the same classes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from napari_relay.folders import data_folder
from napari_relay.whole_file import write_whole
from relay_tokens import ClassSchema, SegmentationClass, UserError


def schema_digest(schema: ClassSchema) -> str:
    """Short name of a list of classes: other colours change nothing, other names do."""
    return hashlib.sha256("\n".join(schema.names).encode()).hexdigest()[:12]


def recolored(schema: ClassSchema, label: int, color: str) -> ClassSchema:
    """The same classes, one of them in another colour, ``#rrggbb``.

    Raises
    ------
    UserError
        When ``color`` is none.
    """
    classes = list(schema.classes)
    classes[label] = SegmentationClass(classes[label].name, color)
    return ClassSchema(tuple(classes))


def with_own_colors(schema: ClassSchema) -> ClassSchema:
    """The classes in the colours that were kept for them, else in their own."""
    try:
        colors = json.loads(_record(schema).read_text(encoding="utf-8"))
        pairs = zip(schema.names, colors, strict=True)
        return ClassSchema(tuple(SegmentationClass(name, color) for name, color in pairs))
    except (OSError, ValueError, TypeError, UserError):
        return schema  # never chosen, or damaged: the colours they came with are right too


def keep_own_colors(schema: ClassSchema) -> None:
    """Keep the colours of these classes for the next opening.

    Raises
    ------
    UserError
        When they cannot be written.
    """
    record = _record(schema)
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        write_whole(record, json.dumps(schema.colors))
    except OSError as error:
        raise UserError(
            f"The class colours cannot be kept in {record.parent} ({error.strerror}); "
            "make room there or change its permissions."
        ) from error


def forget_own_colors(schema: ClassSchema) -> None:
    """Give the classes the colours they came with again."""
    _record(schema).unlink(missing_ok=True)


def _record(schema: ClassSchema) -> Path:
    return data_folder() / "class-colors" / f"{schema_digest(schema)}.json"
