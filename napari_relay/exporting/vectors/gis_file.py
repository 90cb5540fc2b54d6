"""Objects as GeoPackage and Shapefile, written by GDAL."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely

from napari_relay.exporting.vectors.finding import FoundObjects
from napari_relay.exporting.vectors.geojson import Place
from napari_relay.exporting.vectors.table import Column
from relay_tokens import UserError

LAYER = "objects"
"""Name of the table in a GeoPackage."""


@dataclass(frozen=True)
class GisFormat:
    """A format that GDAL writes."""

    driver: str
    """Its name in GDAL."""
    short_names: bool
    """Whether the names of columns are at most 10 letters long."""
    options: Mapping[str, str]
    """What GDAL is told of a new layer."""
    limit: int | None = None
    """Bytes that one of its files can hold."""


GEOPACKAGE = GisFormat("GPKG", False, {"GEOMETRY_NAME": "geom"})
SHAPEFILE = GisFormat("ESRI Shapefile", True, {"ENCODING": "UTF-8"}, 2**31 - 1)
FORMATS = {".gpkg": GEOPACKAGE, ".shp": SHAPEFILE}

_HEADER, _RECORD, _PART, _POINT = 100, 52, 4, 16
"""Bytes of a Shapefile, of each of its polygons, of a ring and of a point."""


class GisWriter:
    """A layer of polygons, batch after batch.

    Parameters
    ----------
    path
        The file to write.
    target
        The file that a person asked for, for sentences.
    kind
        Its format.
    columns
        What is said of the objects.
    place
        Where the polygons lie.
    crs
        What they are in; None: an undefined plane.
    """

    def __init__(
        self,
        path: Path,
        target: Path,
        kind: GisFormat,
        columns: tuple[Column, ...],
        place: Place,
        crs: str | None,
    ) -> None:
        self._path, self._target, self._kind = path, target, kind
        self._columns, self._place, self._crs = columns, place, crs
        self._is_begun, self._bytes = False, _HEADER
        self._append(FoundObjects([], np.empty(0, object)))

    def write(self, found: FoundObjects) -> None:
        """See :class:`~napari_relay.exporting.vectors.writer.ObjectWriter`."""
        if found.described:
            self._check_size(found)
            self._append(found)

    def finish(self) -> None:
        """Nothing is left to do: every batch is whole."""

    def close(self) -> None:
        """Nothing is held."""

    def _append(self, found: FoundObjects) -> None:
        from pyogrio import raw

        names = [c.short if self._kind.short_names else c.name for c in self._columns]
        options = dict(self._kind.options)
        if self._kind is GEOPACKAGE and self._crs is None:
            options["SRID"] = "-1"
        with _written(self._target):
            raw.write(
                self._path,
                shapely.to_wkb(self._place(found.polygons)),
                [column.values(found.described) for column in self._columns],
                names,
                layer=LAYER if self._kind is GEOPACKAGE else None,
                driver=self._kind.driver,
                geometry_type="Polygon",
                crs=self._crs,
                append=self._is_begun,
                layer_options=None if self._is_begun else options,
            )
        self._is_begun = True

    def _check_size(self, found: FoundObjects) -> None:
        rings = shapely.get_num_interior_rings(found.polygons).sum() + len(found.polygons)
        points = shapely.get_num_coordinates(found.polygons).sum()
        self._bytes += int(_RECORD * len(found.polygons) + _PART * rings + _POINT * points)
        if self._kind.limit is not None and self._bytes > self._kind.limit:
            raise UserError(
                f"{self._target} would be larger than the 2 GB that a Shapefile can hold; choose "
                "a name that ends in .gpkg, or leave out small objects, or simplify the outlines."
            )


@contextmanager
def _written(path: Path) -> Iterator[None]:
    """Turn what GDAL says into a sentence that names the file."""
    from pyogrio import errors

    try:
        with warnings.catch_warnings():
            # An image without a CRS has none to give.
            warnings.filterwarnings("ignore", message="'crs' was not provided")
            yield
    except errors.CRSError as error:
        raise UserError(
            f"{path} cannot be written, since GDAL does not know the image's coordinate reference "
            "system; give the image the right one, e.g. with gdal_edit -a_srs, or choose a name "
            "that ends in .qupath.geojson, for pixels."
        ) from error
    except (errors.DataSourceError, errors.DataLayerError, errors.FeatureError) as error:
        raise UserError(
            f"{path} cannot be written ({str(error).strip().rstrip('.')}); free some space or "
            "choose a folder that exists and can be written."
        ) from error
