"""The file ``classes.json`` of a plain folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple, TypeGuard

from napari_relay.training.datasets.mask_file import ClassTable, color_code
from relay_tokens import IGNORE_INDEX, PALETTE, ClassSchema, SegmentationClass, UserError

FORM = '{"classes": [{"name": "field", "color": "#e69f00", "value": 1}, ...], "ignore": 255}'
"""What the file says; only the names are needed."""


Words = tuple[str, ...]
"""``NAME=CLASS`` each: what the polygons of a vector file are called, and what they become."""


class Entry(NamedTuple):
    """One class as the file has it."""

    name: str
    """What it is called."""
    color: str
    """``#rrggbb``."""
    value: int
    """Of its pixels in a mask."""
    has_color: bool
    """Whether the file gives the colour."""


def read_class_list(path: Path) -> tuple[ClassSchema, ClassTable]:
    """Read what the classes are, and which pixels of a mask are theirs.

    A class without a ``value`` has its place in the list, from 0; one without a
    ``color`` gets one. Masks in colours are understood when all classes have one.

    Raises
    ------
    UserError
        When the file is not of this form, or two classes share a name, a value
        or a colour.
    """
    content = _parsed(path)
    entries = [_entry(path, place, item) for place, item in enumerate(content["classes"])]
    _check_values(path, [e.value for e in entries], content.get("ignore", IGNORE_INDEX))
    try:
        schema = ClassSchema(tuple(SegmentationClass(e.name, e.color) for e in entries))
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    values = {e.value: place for place, e in enumerate(entries)}
    return schema, ClassTable(values, _colors(path, entries))


def read_words(path: Path, schema: ClassSchema) -> Words:
    """Read what the names of polygons mean that are no class: ``"map": {"NAME": "CLASS"}``.

    Raises
    ------
    UserError
        When the file does not say it so.
    """
    said: object = _parsed(path).get("map", {})
    if not isinstance(said, dict) or not all(isinstance(name, str) for name in said.values()):
        raise UserError(
            f'{path}: the map is not {{"name of polygons": "{schema.names[0]}", ...}}; write it so.'
        )
    return tuple(f"{name}={meaning}" for name, meaning in said.items())


def _parsed(path: Path) -> dict[str, list[object]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path} is not JSON ({error}); correct it there.") from error
    if not isinstance(content, dict) or not isinstance(content.get("classes"), list):
        raise UserError(f"{path} lists no classes; write {FORM}.")
    return content


def _entry(path: Path, place: int, item: object) -> Entry:
    """One class, with what it leaves out filled in."""
    if not isinstance(item, dict) or not isinstance(item.get("name"), str):
        raise UserError(f"{path}: class {place} has no name; write {FORM}.")
    color, value = item.get("color", PALETTE[place % len(PALETTE)]), item.get("value", place)
    if not isinstance(color, str) or not _is_whole(value):
        raise UserError(
            f"{path}: the class {item['name']!r} has the colour {color!r} and the value "
            f"{value!r}; write the colour as #rrggbb and the value as a whole number."
        )
    return Entry(item["name"], color, value, "color" in item)


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _check_values(path: Path, values: list[int], ignore: object) -> None:
    if not _is_whole(ignore):
        raise UserError(f"{path}: ignore is {ignore!r}; write a whole number such as 255.")
    if len({*values, ignore}) <= len(values):
        raise UserError(
            f"{path}: two classes, or a class and ignore ({ignore}), have the same value; "
            "give each its own."
        )


def _colors(path: Path, entries: list[Entry]) -> dict[int, int]:
    """Class of each colour; none unless all classes have one."""
    if not all(e.has_color for e in entries):
        return {}
    colors = {color_code(e.color): place for place, e in enumerate(entries)}
    if len(colors) < len(entries):
        raise UserError(f"{path}: two classes have the same colour; give each its own.")
    return colors
