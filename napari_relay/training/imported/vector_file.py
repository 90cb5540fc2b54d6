"""Layers and columns of a vector file, and what their values say."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.training.datasets.polygon_layer import PolygonLayer, require_geo, unreadable
from napari_relay.training.imported.class_mapping import suggestion
from relay_tokens import ClassSchema, UserError

CLASS_COLUMNS = ("class", "class_name", "classname", "label", "classification", "name", "type")
"""Names of the column that says what a polygon is, the preferred one first; in any case."""
LARGE_JSON = 4_000_000
"""Bytes from which on a GeoJSON is rewritten first: GDAL cannot read a part of it."""
_JSON = (".geojson", ".json")
_QUPATH_COLUMNS = ("objectType", "object_type")
_LOOKED_FOR_CRS = 65536
_DEGREES = (180.5, 90.5)


class Word(NamedTuple):
    """What a feature is said to be."""

    text: str
    """Its class; empty: nothing is said."""
    color: str | None = None
    """``#rrggbb`` of the class, where it is said too."""


@dataclass(frozen=True, eq=False)
class VectorFile:
    """What a vector file has, before anything of it is read."""

    path: Path
    """The file."""
    layers: tuple[PolygonLayer, ...]
    """Each of its layers, without a column."""
    fields: tuple[tuple[str, ...], ...]
    """Columns of each layer."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of all columns."""
        return tuple(dict.fromkeys(name for names in self.fields for name in names))

    @property
    def is_in_pixels(self) -> bool:
        """Whether coordinates are an image's pixels although the format would have them degrees.

        So QuPath writes GeoJSON. A file that names a coordinate reference system
        means it.
        """
        if self.path.suffix.lower() not in _JSON or _names_crs(self.path):
            return False
        has_kinds = any(name in self.columns for name in _QUPATH_COLUMNS)
        return has_kinds or "classification" in self.columns

    def layer_with(self, column: str | None) -> PolygonLayer:
        """The first layer that has a column; None: the first layer.

        Raises
        ------
        UserError
            When no layer has it.
        """
        for layer, names in zip(self.layers, self.fields, strict=True):
            if column is None or column in names:
                return replace(layer, column=column)
        raise UserError(
            f"{self.path} has no column {column!r}; name one of {', '.join(self.columns)}."
        )

    def best_column(self, schema: ClassSchema) -> str | None:
        """The column that most likely says the class; None where none does."""
        named = [c for name in CLASS_COLUMNS for c in self.columns if c.lower() == name]
        others = [c for c in self.columns if c not in named]
        if len(named) == 1:
            return named[0]
        shares = {c: self._known_share(c, schema) for c in named or others}
        best = max(shares, key=lambda c: shares[c], default=None)
        return best if named or (best is not None and shares[best] > 0) else None

    def _known_share(self, column: str, schema: ClassSchema) -> float:
        """Share of the features whose class is known by its name; a number may be anything."""
        words = [word.text for word in words_of(self.layer_with(column).words())]
        known = {
            w: not w.isdecimal() and suggestion(w, "", None, schema) is not None for w in set(words)
        }
        return sum(known[w] for w in words) / max(len(words), 1)


def open_vector_file(path: Path) -> VectorFile:
    """Find out what a vector file has.

    Raises
    ------
    UserError
        When it cannot be read, has no layer, or pyogrio or rasterio is not installed.
    """
    require_geo(path)
    is_json = path.suffix.lower() in _JSON
    content = _as_collection(path) if is_json else None
    if is_json and content is None and path.stat().st_size > LARGE_JSON:
        folder = tempfile.mkdtemp(prefix="napari-relay-")
        file = _described(path, _rewritten(path, Path(folder)))
        weakref.finalize(file, shutil.rmtree, folder, ignore_errors=True)
        return file
    return _described(path, path if content is None else content)


def _described(path: Path, source: Path | bytes) -> VectorFile:
    """What a file has; it is read from ``source``."""
    import pyogrio

    is_json = path.suffix.lower() in _JSON
    kinds = pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError
    try:
        # Bytes are read under another name each time.
        found = [name for name, _ in pyogrio.list_layers(source)]
        names = found if isinstance(source, Path) else list(range(len(found)))
        infos = [pyogrio.read_info(source, n, force_total_bounds=is_json) for n in names]
    except kinds as error:
        raise unreadable(path) from error
    if not infos:
        raise UserError(f"{path} has no layer; export it anew.")
    layers = (
        PolygonLayer(path, name, None, _crs(path, info), source)
        for name, info in zip(names, infos, strict=True)
    )
    fields = tuple(tuple(map(str, info["fields"])) for info in infos)
    return VectorFile(path, tuple(layers), fields)


def _rewritten(path: Path, folder: Path) -> Path:
    """A large GeoJSON as a GeoPackage, written by a process of its own."""
    program, target = Path(__file__).with_name("rewriting.py"), folder / "features.gpkg"
    ended = subprocess.run([sys.executable, program, path, target], capture_output=True)
    if ended.returncode:
        raise unreadable(path)
    return target


def _crs(path: Path, info: Mapping[str, Any]) -> str | None:
    """System of a layer; None for a GeoJSON that names none and whose numbers are no degrees."""
    if path.suffix.lower() in _JSON and not _names_crs(path):
        bounds = np.abs(np.array(info["total_bounds"] or (0, 0, 0, 0), float))
        if (bounds > np.tile(_DEGREES, 2)).any():
            return None
    crs: str | None = info["crs"]
    return crs


def word_of(value: object) -> Word:
    """What a column's value says; QuPath's ``classification`` is an object with a name."""
    if value is None or (isinstance(value, float) and np.isnan(value)):
        return Word("")
    if isinstance(value, float) and value.is_integer():
        return Word(str(int(value)))
    text = str(value).strip()
    if not text.startswith("{"):
        return Word(text)
    try:
        said = json.loads(text)
    except ValueError:
        return Word(text)
    names = said.get("names")
    name = said.get("name") or (": ".join(map(str, names)) if isinstance(names, list) else "")
    return Word(str(name).strip(), _color(said))


def words_of(values: NDArray[np.object_]) -> list[Word]:
    """What each value of a column says; each different one is looked at once."""
    known: dict[object, Word] = {}
    return [known.setdefault(value, word_of(value)) for value in values]


def _color(said: dict[str, Any]) -> str | None:
    """``#rrggbb`` from QuPath's list of three, or from the signed number of older versions."""
    color, number = said.get("color"), said.get("colorRGB")
    if isinstance(color, Sequence) and len(color) == 3 and all(isinstance(v, int) for v in color):
        return "#" + "".join(f"{v & 0xFF:02x}" for v in color)
    return f"#{number & 0xFFFFFF:06x}" if isinstance(number, int) else None


def _names_crs(path: Path) -> bool:
    """Whether a GeoJSON names its system, before its features or after them."""
    with path.open("rb") as file:
        ends = [file.read(_LOOKED_FOR_CRS)]
        file.seek(max(path.stat().st_size - _LOOKED_FOR_CRS, 0))
        ends.append(file.read())
    return any(re.search(rb'"crs"\s*:\s*\{', end) for end in ends)


def _as_collection(path: Path) -> bytes | None:
    """A bare list of features, as QuPath may write it, as a collection; None: it is none."""
    try:
        with path.open("rb") as file:
            if file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] != b"[":
                return None
            file.seek(0)
            features = json.loads(file.read().decode("utf-8-sig"))
    except (OSError, ValueError) as error:
        raise unreadable(path) from error
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()
