"""A landscape as a small text file, from which its pixels are computed."""

from __future__ import annotations

import json
from pathlib import Path

from napari_relay.landscapes.landscape import Landscape
from relay_tokens import UserError

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
        JSON with exactly ``seed``, ``size`` (``[rows, cols]``) and ``scale``, as
        :class:`Landscape` has them.

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
    values = {"seed": landscape.seed, "size": landscape.size, "scale": landscape.scale}
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
    size, scale = values["size"], values["scale"]
    if not isinstance(size, list) or len(size) != 2:
        raise ValueError("size is not two whole numbers, rows and columns")
    if isinstance(scale, bool) or not isinstance(scale, int | float):
        raise ValueError("scale is no number")
    rows, cols = (_whole(side, "a side of size") for side in size)
    return Landscape(_whole(values["seed"], "seed"), (rows, cols), float(scale))


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
    unknown = sorted(values.keys() - {"seed", "size", "scale"})
    if unknown:
        raise ValueError(f"{unknown[0]} is unknown")
    return values


def _whole(value: object, name: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name} is no whole number")
    return value
