"""A landscape as a small text file, from which its pixels are computed."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from napari_relay.landscapes.landscape import Landscape
from napari_relay.landscapes.style import USUAL, LandscapeStyle, Plan, Soil
from relay_tokens import UserError

Named = TypeVar("Named", bound=StrEnum)

LANDSCAPE_SUFFIX = ".landscape"
"""Suffix of these files."""
MOST_BYTES = 4096
"""A longer file is none of these."""
EXAMPLE = '{"seed": 7, "size": [16384, 16384], "scale": 1.0}'
"""What such a file holds."""


def read_landscape_file(path: Path) -> Landscape:
    """Read which landscape a file stands for.

    Parameters
    ----------
    path
        JSON with ``seed``, ``size`` (``[rows, cols]``) and ``scale``, as
        :class:`Landscape` has them; and, where it is not the usual one, the
        ``soil``, the ``plan`` or the ``roughness`` of its style.

    Raises
    ------
    UserError
        When the file holds anything else, or a value is out of range.
    """
    with path.open("rb") as file:
        content = file.read(MOST_BYTES + 1)
    try:
        return _landscape(content)
    except UserError as error:
        raise UserError(f"{path}: {error}") from error
    except (ValueError, OverflowError) as error:
        raise UserError(
            f"{path} is not a landscape ({error}); write it like this: {EXAMPLE}."
        ) from error


def write_landscape_file(landscape: Landscape, path: str | Path) -> None:
    """Write a landscape as a file that :func:`read_landscape_file` reads.

    Raises
    ------
    UserError
        When the file is there already, or its folder is not.
    """
    path = Path(path)
    if path.exists():
        raise UserError(f"{path} is there already; choose another name.")
    values = {
        "seed": landscape.seed,
        "size": landscape.size,
        "scale": landscape.scale,
        **_unusual(landscape.style),
    }
    scratch = path.with_name(f"{path.name}.part")
    try:
        scratch.write_text(json.dumps(values) + "\n", encoding="utf-8")
        scratch.replace(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"{path.parent} is no folder; make it first.") from error
    finally:
        if path.parent.is_dir():
            scratch.unlink(missing_ok=True)


def _landscape(content: bytes) -> Landscape:
    """The landscape that a file's content stands for.

    Raises
    ------
    ValueError
        When it is of another form.
    UserError
        When a value is out of range.
    """
    if len(content) > MOST_BYTES:
        raise ValueError("it is too long")
    values = _object(content)
    size = values["size"]
    if not isinstance(size, list) or len(size) != 2:
        raise ValueError("size is not two whole numbers, rows and columns")
    rows, cols = (_whole(side, "a side of size") for side in size)
    seed, scale = _whole(values["seed"], "seed"), _number(values["scale"], "scale")
    return Landscape(seed, (rows, cols), scale, _style(values))


def _style(values: dict[str, object]) -> LandscapeStyle:
    """The style that a file names, the usual one where it names none."""
    return LandscapeStyle(
        soil=_one_of(Soil, values.get("soil", USUAL.soil), "soil"),
        plan=_one_of(Plan, values.get("plan", USUAL.plan), "plan"),
        roughness=_number(values.get("roughness", USUAL.roughness), "roughness"),
    )


def _unusual(style: LandscapeStyle) -> dict[str, object]:
    """What a file has to say of a style."""
    usual = asdict(USUAL)
    return {name: value for name, value in asdict(style).items() if value != usual[name]}


def _object(content: bytes) -> dict[str, object]:
    try:
        values = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # RecursionError: nested too deep
        raise ValueError("it is not JSON") from error
    if not isinstance(values, dict):
        raise ValueError("it is not a JSON object")
    for name in ("seed", "size", "scale"):
        if name not in values:
            raise ValueError(f"{name} is missing")
    unknown = sorted(values.keys() - {"seed", "size", "scale", *asdict(USUAL)})
    if unknown:
        raise ValueError(f"{unknown[0]} is unknown")
    return values


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is no whole number")
    return value


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} is no number")
    return float(value)


def _one_of(kind: type[Named], value: object, name: str) -> Named:
    if not isinstance(value, str) or value not in list(kind):
        raise ValueError(f"{name} is none of {', '.join(kind)}")
    return kind(value)
