"""What a vector file holds, in pixels of an image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.widgets.layer_files.vectors import CLASS, COLOR, require_pyogrio
from relay_tokens import UserError

MOST_SHAPES = 10_000
"""napari takes two milliseconds for a shape of ten corners."""
MOST_WORK = 1e8
"""Sum of the squared numbers of corners: napari takes ten seconds."""
_CLASS_COLUMNS = (CLASS, "class_name", "classname", "label", "classification", "name", "type")
_LINES = (shapely.GeometryType.LINESTRING, shapely.GeometryType.LINEARRING)
_KINDS = (shapely.GeometryType.POLYGON, *_LINES)


@dataclass(frozen=True)
class FoundShapes:
    """Lines and polygons of one layer of a vector file."""

    shapes: tuple[shapely.Geometry, ...]
    """Without heights, in :attr:`crs`; of several parts each is one."""
    classes: tuple[str, ...]
    """What each is said to be; empty: nothing."""
    colors: tuple[str | None, ...]
    """``#rrggbb`` of each, where the file says it."""
    crs: str | None
    """Coordinate reference system; None: not known."""

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """Least and largest ``(x, y, x, y)``."""
        x0, y0, x1, y1 = shapely.total_bounds(np.array(self.shapes, dtype=object))
        return float(x0), float(y0), float(x1), float(y1)


def vector_layers(path: Path) -> list[str]:
    """Names of the layers with shapes of a file; none when it is another kind of file."""
    require_pyogrio(path)
    import pyogrio

    try:
        layers = pyogrio.list_layers(path)
    except pyogrio.errors.DataSourceError:
        return []
    return [str(name) for name, kind in layers if kind is not None]


def read_shapes(path: Path, layer: str) -> FoundShapes:
    """Read the lines and polygons of a layer.

    Raises
    ------
    UserError
        When it cannot be read, has none, or more than napari shows in a while.
    """
    import pyogrio

    try:
        count = pyogrio.read_info(path, layer)["features"]
        _check(path, count, 0)
        meta, _, geometry, fields = pyogrio.raw.read(path, layer, force_2d=True)
    except (
        pyogrio.errors.DataSourceError,
        pyogrio.errors.DataLayerError,
        pyogrio.errors.FeatureError,
    ) as error:
        raise UserError(f"{path} is damaged or no vector file; export it anew.") from error
    columns = dict(zip(map(str, meta["fields"]), fields, strict=True))
    return _parts(path, shapely.from_wkb(geometry), columns, meta["crs"])


def _parts(
    path: Path, whole: NDArray[Any], columns: dict[str, NDArray[Any]], crs: str | None
) -> FoundShapes:
    parts, origin = shapely.get_parts(whole, return_index=True)
    usable = np.isin(shapely.get_type_id(parts), _KINDS) & ~shapely.is_empty(parts)
    parts, origin = parts[usable], origin[usable]
    if not len(parts):
        raise UserError(f"{path} has neither lines nor polygons; open another file.")
    corners = shapely.get_num_coordinates(parts).astype(float)
    _check(path, len(parts), float((corners**2).sum()))
    said = [_said(columns, int(number)) for number in origin]
    return FoundShapes(
        tuple(parts), tuple(name for name, _ in said), tuple(color for _, color in said), crs
    )


def _check(path: Path, count: int, work: float) -> None:
    if count > MOST_SHAPES:
        raise UserError(
            f"{path} has {count} shapes, and more than {MOST_SHAPES} would stop the window for "
            "long; open a part of it, or import it as corrections or labels."
        )
    if work > MOST_WORK:
        raise UserError(
            f"{path} has shapes of so many corners that they would stop the window for long; "
            "simplify them, or import the file as corrections or labels."
        )


def _said(columns: dict[str, NDArray[Any]], number: int) -> tuple[str, str | None]:
    """Class and colour of a feature."""
    color = columns.get(COLOR)
    given = None if color is None else _hex_color(color[number])
    lower = {name.lower(): values for name, values in columns.items()}
    for name in _CLASS_COLUMNS:
        if name in lower:
            return _class(lower[name][number], given)
    return "", given


def _class(value: Any, color: str | None) -> tuple[str, str | None]:
    """A name; QuPath's is an object with a name and a colour."""
    text = "" if value is None else str(value)
    if not text.startswith("{"):
        return text, color
    try:
        said = json.loads(text)
    except ValueError:
        return text, color
    return str(said.get("name", "")), color or _hex_color(said.get("color"))


def _hex_color(value: Any) -> str | None:
    if isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 3:
        return "#" + "".join(f"{int(part) % 256:02x}" for part in value)
    text = str(value)
    is_hex = len(text) == 7 and text[0] == "#"
    return text.lower() if is_hex and set(text[1:].lower()) <= set("0123456789abcdef") else None
