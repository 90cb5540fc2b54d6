"""What GDAL and QGIS read about the pixels of a TIFF: names, scale, categories."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from napari_relay.exporting.geotiff import ExtraTag
from napari_relay.exporting.rasters.description import RasterDescription
from relay_tokens import ClassSchema

_GDAL_METADATA, _ASCII = 42112, 2
_INTEGER, _STRING = "0", "2"
_NAME, _VALUE, _COLORS = "2", "5", ("6", "7", "8")
"""GDAL's numbers for what a column of an attribute table is for."""


def metadata_tag(description: RasterDescription) -> ExtraTag:
    """GDAL's tag with the names of the bands, their scale, and the classes."""
    root = Element("GDALMetadata")
    for label, member in enumerate(description.classes or ()):
        _item(root, f"CLASS_{label}", member.name)
    for band, name in enumerate(description.bands):
        _item(root, "DESCRIPTION", name, band, "description")
        if not description.is_mask:
            _item(root, "SCALE", repr(description.scale), band, "scale")
            _item(root, "OFFSET", "0", band, "offset")
    # In ASCII, other letters become character references.
    text = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=False)
    return (_GDAL_METADATA, _ASCII, len(text) + 1, text, True)


def sidecar_of(path: Path) -> Path:
    """Where GDAL looks for what a TIFF has no tags for."""
    return path.with_name(path.name + ".aux.xml")


def write_sidecar(path: Path, classes: ClassSchema) -> None:
    """Write names and colours of the classes as categories and as an attribute table.

    GDAL has no TIFF tag for either: QGIS and ArcGIS take the names in their
    legend from this file beside the mask, which may be left out.
    """
    root = Element("PAMDataset")
    band = SubElement(root, "PAMRasterBand", {"band": "1"})
    categories = SubElement(band, "CategoryNames")
    for member in classes:
        SubElement(categories, "Category").text = member.name
    band.append(_table(classes))
    ElementTree.indent(root)
    path.write_bytes(ElementTree.tostring(root, encoding="utf-8"))


def _table(classes: ClassSchema) -> Element:
    table = Element("GDALRasterAttributeTable", {"tableType": "thematic"})
    columns = [("Value", _INTEGER, _VALUE), ("Class", _STRING, _NAME)]
    columns += [
        (name, _INTEGER, usage) for name, usage in zip(("R", "G", "B"), _COLORS, strict=True)
    ]
    for index, (name, kind, usage) in enumerate(columns):
        column = SubElement(table, "FieldDefn", {"index": str(index)})
        for key, value in (("Name", name), ("Type", kind), ("Usage", usage)):
            SubElement(column, key).text = value
    for label, member in enumerate(classes):
        row = SubElement(table, "Row", {"index": str(label)})
        for value in (label, member.name, *bytes.fromhex(member.color[1:])):
            SubElement(row, "F").text = str(value)
    return table


def _item(root: Element, name: str, text: str, band: int | None = None, role: str = "") -> None:
    place = {} if band is None else {"sample": str(band), "role": role}
    SubElement(root, "Item", {"name": name, **place}).text = text
