"""Archaeoscape (Perron et al., NeurIPS 2024): Angkorian features in laser-scanned terrain.

Layout and split are those of the dataset's README; the order of the classes is
that of the authors' code, so that their models fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import shapely

from napari_relay.training.datasets.dataset import RGB, Dataset, Sample, Split
from napari_relay.training.datasets.layout import listed, not_laid_out, require
from napari_relay.training.datasets.polygon_labels import PolygonFile
from napari_relay.training.datasets.polygon_layer import PolygonLayer, open_polygons
from relay_tokens import IGNORE_INDEX, ClassSchema, SegmentationClass, UserError

NAME = "archaeoscape"
LAYOUT = (
    "Archaeoscape: data/parcels.gpkg, data/features.gpkg, and rasters/rgb/PARCEL.tif and "
    "rasters/dtm/PARCEL.tif, in the folder itself or in data"
)
BANDS = (*RGB, "elevation")
CLASSES = (
    ("mound", "#e69f00"),
    ("hydrology", "#0072b2"),
    ("temple", "#d55e00"),
    ("background", "#666666"),
)
"""Name and colour."""
BACKGROUND = 3
"""What no feature covers."""
KINDS: Mapping[str, int] = {"hydrology": 1, "mound": 0, "temple": 2, "void": IGNORE_INDEX}
"""Class of each type of feature; where features overlap, the later type is seen."""
NAME_COLUMNS = ("index", "sblock", "aoi_name")
"""Column of ``parcels.gpkg`` with a parcel's name, in its versions."""
TYPE_COLUMN = "type"
"""Column of ``features.gpkg`` with a feature's type."""
PARCELS: Mapping[str, Split] = {
    "01_olinda": "train",
    "02_irene": "train",
    "03_diomira": "train",
    "04_isidora": "train",
    "05_tamara": "train",
    "06_dorothea": "train",
    "07_anastasia": "train",
    "08_isaura": "train",
    "09_zora": "train",
    "10_gold_road": "train",
    "11_silver_road": "train",
    "12_ginger_road": "train",
    "13_saffron_road": "train",
    "14_lavender_road": "train",
    "15_thyme_road": "train",
    "16_cinnamon_road": "train",
    "17_fusang": "val",
    "18_yaochi": "val",
    "19_penglai": "val",
    "20_hali": "test",
    "21_carcosa": "test",
    "22_ulthar": "test",
    "23_kadath": "test",
}
"""Official split of the parcels."""


def open_archaeoscape(folder: Path) -> Dataset:
    """Find the parcels and features of Archaeoscape.

    Parameters
    ----------
    folder
        Holds ``data`` and ``rasters``.

    Raises
    ------
    UserError
        When the folder is laid out otherwise, or a file holds something else.
    """
    parcels = open_polygons(require(folder, "data/parcels.gpkg", LAYOUT), NAME_COLUMNS)
    features = open_polygons(require(folder, "data/features.gpkg", LAYOUT), (TYPE_COLUMN,))
    _check_known(features.path, features.kinds(), KINDS)
    areas = _areas(parcels)
    files = {name: _rasters(folder, name) for name in areas}
    lost = [name for name, paths in files.items() if not all(p.exists() for p in paths)]
    found = [name for name in files if name not in lost]
    if not found:
        raise not_laid_out(folder, "no parcel has both rasters", LAYOUT)
    return Dataset(
        name=NAME,
        folder=folder,
        classes=ClassSchema(tuple(SegmentationClass(*entry) for entry in CLASSES)),
        bands=BANDS,
        samples=tuple(
            Sample(name, PARCELS[name], files[name], BANDS, _labels(features, parcels, areas[name]))
            for name in found
        ),
        source="Archaeoscape (Perron et al., NeurIPS 2024)",
        notes=(f"{listed(lost)} lacks a raster and is left out.",) if lost else (),
    )


def _labels(features: PolygonLayer, parcels: PolygonLayer, area: shapely.Geometry) -> PolygonFile:
    return PolygonFile(features, KINDS, BACKGROUND, area, parcels)


def _areas(parcels: PolygonLayer) -> dict[str, shapely.Geometry]:
    """Area of each parcel, in the order of their names."""
    polygons = parcels.read()
    _check_known(parcels.path, {polygon.kind for polygon in polygons}, PARCELS)
    shapes = {
        name: [polygon.shape for polygon in polygons if polygon.kind == name] for name in PARCELS
    }
    return {name: shapely.union_all(parts) for name, parts in shapes.items() if parts}


def _check_known(path: Path, found: set[str], known: Mapping[str, object]) -> None:
    strange = sorted(found - set(known))
    if strange:
        raise UserError(
            f"{path} has {listed(strange)}, which Archaeoscape does not know; "
            "copy the file of the dataset again."
        )


def _rasters(folder: Path, name: str) -> tuple[Path, Path]:
    """Orthophoto and terrain model of a parcel."""
    rasters = folder / "rasters"
    # The README has it beside data, the authors' code in it.
    if not rasters.is_dir():
        rasters = folder / "data" / "rasters"
    return rasters / "rgb" / f"{name}.tif", rasters / "dtm" / f"{name}.tif"
