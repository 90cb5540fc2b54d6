"""Names and colours that a raster gives to its values."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from rasterio.io import DatasetReader

_CLASS_TAG = re.compile(r"CLASS_(\d+)")
_DESCRIPTION = "TIFFTAG_IMAGEDESCRIPTION"
_IN_XML = re.compile(r"<Description>(.*?)</Description>", re.DOTALL)

Names = dict[int, str]
"""Name of each value that has one."""
Colors = dict[int, str]
"""``#rrggbb`` of each value that has one."""


def names_and_colors(dataset: DatasetReader) -> tuple[Names, Colors]:
    """Look in a raster for what its values are called, and their colours.

    Names are those that our own masks have in their description, GDAL's
    categories, and an attribute table with a name; colours those of the
    description, else of the colour table.
    """
    described = list(_described(dataset.tags().get(_DESCRIPTION, "")))
    names = _categories(dataset)
    tags = ((_CLASS_TAG.fullmatch(key), text) for key, text in dataset.tags().items())
    names |= {int(found[1]): text for found, text in tags if found}
    names |= {value: name for value, name, _ in described}
    colors = _color_table(dataset) | {value: color for value, _, color in described if color}
    return {value: name for value, name in names.items() if name}, colors


def _described(text: str) -> Iterator[tuple[int, str, str]]:
    """Value, name and colour of the classes in the description of one of our own masks."""
    inner = _IN_XML.search(text)
    try:
        said: Any = json.loads(_unescaped(inner[1]) if inner else text)
    except ValueError:
        return
    classes = said.get("classes") if isinstance(said, dict) else None
    for entry in classes if isinstance(classes, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("label"), int) and "name" in entry:
            yield entry["label"], str(entry["name"]), str(entry.get("color", "")).lower()


def _unescaped(text: str) -> str:
    return ElementTree.fromstring(f"<a>{text}</a>").text or ""


def _color_table(dataset: DatasetReader) -> Colors:
    try:
        table = dataset.colormap(1)
    except ValueError:
        return {}
    return {value: f"#{r:02x}{g:02x}{b:02x}" for value, (r, g, b, _) in table.items()}


def _categories(dataset: DatasetReader) -> Names:
    """GDAL's categories and attribute table, which rasterio shows only in a VRT of the raster."""
    from rasterio.errors import RasterioError
    from rasterio.shutil import copy

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "names.vrt"
        try:
            copy(dataset, path, driver="VRT")
            root = ElementTree.parse(path).getroot()
        except (RasterioError, OSError, ElementTree.ParseError):
            return {}
    band = root.find("VRTRasterBand")
    if band is None:
        return {}
    found = {k: entry.text or "" for k, entry in enumerate(band.iterfind("CategoryNames/Category"))}
    return found or _attribute_table(band)


def _attribute_table(band: ElementTree.Element) -> Names:
    """Value and name by the columns whose usage GDAL numbers 5 (or 1) and 2."""
    usages = [field.findtext("Usage") for field in band.iterfind(".//FieldDefn")]
    values = [k for k, usage in enumerate(usages) if usage in ("5", "1")]
    texts = [k for k, usage in enumerate(usages) if usage == "2"]
    if not values or not texts:
        return {}
    rows = [[cell.text or "" for cell in row.iterfind("F")] for row in band.iterfind(".//Row")]
    return {int(float(row[values[0]])): row[texts[0]] for row in rows if row[values[0]]}
