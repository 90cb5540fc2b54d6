"""Objects as GeoJSON."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import shapely

from napari_relay.exporting.vectors.finding import FoundObjects
from napari_relay.exporting.vectors.outlines import Polygons
from napari_relay.exporting.vectors.predicted_object import PredictedObject

Properties = Callable[[PredictedObject], Mapping[str, object]]
"""What a feature says of an object."""
Place = Callable[[Polygons], Polygons]
"""From pixel corners to the file's coordinates."""


class GeoJsonWriter:
    """One collection of features, a line each, never all in memory.

    Outer rings run counter-clockwise (RFC 7946, 3.1.6).

    Parameters
    ----------
    path
        The file.
    place
        Where the polygons lie.
    properties
        What is said of an object.
    """

    def __init__(self, path: Path, place: Place, properties: Properties) -> None:
        self._file = path.open("w", encoding="utf-8", newline="\n")
        self._place, self._properties = place, properties
        self._separator = '{"type":"FeatureCollection","features":[\n'

    def write(self, found: FoundObjects) -> None:
        """See :class:`~napari_relay.exporting.vectors.writer.ObjectWriter`."""
        oriented = shapely.orient_polygons(self._place(found.polygons))
        for one, shape in zip(found.described, shapely.to_geojson(oriented), strict=True):
            said = json.dumps(self._properties(one), ensure_ascii=False)
            self._file.write(
                f'{self._separator}{{"type":"Feature","id":"{one.id}",'
                f'"geometry":{shape},"properties":{said}}}'
            )
            self._separator = ",\n"

    def finish(self) -> None:
        """See :class:`~napari_relay.exporting.vectors.writer.ObjectWriter`."""
        if self._separator != ",\n":
            self._file.write(self._separator)
        self._file.write("\n]}\n")
        self._file.close()

    def close(self) -> None:
        """Let go of the file, whole or not."""
        self._file.close()
