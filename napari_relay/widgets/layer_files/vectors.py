"""Shapes layers as vector files."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.exporting.placement import Placement
from napari_relay.exporting.whole import whole_file
from napari_relay.widgets.layer_files.outlines import geometry_of, placed
from napari_relay.widgets.layer_files.place import place_of
from relay_tokens import UserError

DRIVERS = {".geojson": "GeoJSON", ".gpkg": "GPKG"}
CLASS, COLOR = "class", "color"
"""Columns that say what a shape is, and in which colour it is drawn."""


def has_pyogrio() -> bool:
    """Whether the library that knows vector files is installed."""
    return importlib.util.find_spec("pyogrio") is not None


def require_pyogrio(path: Path) -> None:
    """Refuse to go on without the library that knows vector files.

    Raises
    ------
    UserError
        When it is not installed.
    """
    if not has_pyogrio():
        raise UserError(f'{path} needs pyogrio; run: pip install "napari-relay[geo]".')


def write_shapes(path: Path, data: Sequence[Any], meta: Mapping[str, Any]) -> None:
    """Write a Shapes layer as GeoJSON or GeoPackage, whole or not at all.

    Over a georeferenced image it is written in its coordinates, in GeoJSON as
    longitude and latitude (RFC 7946); else as pixels ``(x, y)`` from the image's
    corner. The layer's features are columns; without a feature ``class`` the
    name of the layer is the class.

    Raises
    ------
    UserError
        When there is no shape, the suffix is another, or it cannot be written.
    """
    require_pyogrio(path)
    driver = DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise UserError(f"{path} cannot be written; choose a name in .geojson or .gpkg.")
    if not len(data):
        raise UserError(f"{meta.get('name', 'The layer')} has no shapes to be saved; draw one.")
    place = place_of(meta)
    placement = Placement() if place is None else place.placement
    kinds = meta["shape_type"]
    shapes = [geometry_of(corners, kind) for corners, kind in zip(data, kinds, strict=True)]
    with whole_file(path) as scratch, _as_os_error():
        _write(scratch, path.stem, driver, placed(shapes, placement), placement.crs, _columns(meta))


def _write(
    scratch: Path,
    layer: str,
    driver: str,
    shapes: Sequence[shapely.Geometry],
    crs: str | None,
    columns: Mapping[str, NDArray[Any]],
) -> None:
    from pyogrio import raw

    kinds = {shape.geom_type for shape in shapes}
    geographic = driver == "GeoJSON" and crs is not None
    with warnings.catch_warnings():
        # Pixels have no system, and GeoJSON no way to say so.
        warnings.filterwarnings("ignore", "'crs' was not provided", UserWarning)
        raw.write(
            scratch,
            shapely.to_wkb(np.array(shapes, dtype=object)),
            list(columns.values()),
            np.array(list(columns), dtype=object),
            layer=layer,
            driver=driver,
            geometry_type=kinds.pop() if len(kinds) == 1 else "Unknown",
            crs=crs or _NO_CRS[driver],
            layer_options=_RFC7946 if geographic else {},
        )


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Let what GDAL cannot write be told as what the system cannot."""
    from pyogrio import errors

    try:
        yield
    except (errors.DataSourceError, errors.DataLayerError, errors.FeatureError) as error:
        raise OSError(str(error)) from error


_RFC7946 = {"RFC7946": "YES", "COORDINATE_PRECISION": "9"}
"""Seven decimals, GDAL's own choice, would be a centimetre."""
_NO_CRS = {"GPKG": 'LOCAL_CS["pixels"]', "GeoJSON": None}
"""What a driver gets for coordinates that are pixels."""


def _columns(meta: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    features, count = meta["features"], len(meta["shape_type"])
    columns = {str(name): _column(np.asarray(features[name])) for name in features}
    if CLASS not in columns:
        columns[CLASS] = np.full(count, str(meta.get("name", "")), dtype=object)
    colors = np.asarray(meta["edge_color"], float)[:, :3]
    columns[COLOR] = np.array([_hex(color) for color in colors], dtype=object)
    return columns


def _column(values: NDArray[Any]) -> NDArray[Any]:
    return values if values.dtype.kind in "iuf" else values.astype(str).astype(object)


def _hex(color: NDArray[np.float64]) -> str:
    return "#" + "".join(f"{round(float(part) * 255):02x}" for part in color)
