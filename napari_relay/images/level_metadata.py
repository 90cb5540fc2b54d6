"""The OME-Zarr group of built levels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import zarr

from napari_relay.geometry import level_translate
from napari_relay.images.cached_level import no_data_value
from napari_relay.images.levels_plan import CHUNK_SIDE, BuiltLevel
from napari_relay.images.source import ImageSource

UNIT_NAMES = {"um": "micrometer", "m": "meter", "degree": "degree"}
"""Names of units in OME-Zarr."""


def create_group(folder: Path, source: ImageSource, levels: Sequence[BuiltLevel]) -> None:
    """Create the arrays ``(c, y, x)`` of levels, blank: what is not built has no data."""
    group = zarr.create_group(folder, zarr_format=3, overwrite=True)
    group.attrs["ome"] = ome_metadata(source, levels)
    dtype = source.arrays[0].dtype
    for level in levels:
        rows, cols, bands = level.shape
        group.create_array(
            str(level.factor),
            shape=(bands, rows, cols),
            chunks=(bands, CHUNK_SIDE, CHUNK_SIDE),
            dtype=dtype,
            fill_value=no_data_value(source.nodata, dtype).item(),
            dimension_names=("c", "y", "x"),
        )


def chunk_files(folder: Path, factor: int, area: tuple[slice, slice]) -> list[Path]:
    """Files of the chunks of a level that hold an area."""
    rows, cols = (range(p.start // CHUNK_SIDE, -(-p.stop // CHUNK_SIDE)) for p in area)
    return [folder / str(factor) / "c" / "0" / str(i) / str(j) for i in rows for j in cols]


def ome_metadata(source: ImageSource, levels: Sequence[BuiltLevel]) -> dict[str, Any]:
    """Metadata of OME-Zarr 0.5, so that other programs can open the levels."""
    place = source.placement
    unit = {"unit": UNIT_NAMES[place.unit]} if place.unit else {}
    axes: list[dict[str, str]] = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", **unit} for name in ("y", "x")]
    size = place.pixel_size or (1.0, 1.0)
    datasets = [_dataset(level.factor, size) for level in levels]
    multiscale = {"name": source.path.stem, "axes": axes, "datasets": datasets, "type": "mean"}
    channels = [{"label": band, "color": "FFFFFF", "active": True} for band in source.bands]
    return {"version": "0.5", "multiscales": [multiscale], "omero": {"channels": channels}}


def _dataset(factor: int, size: tuple[float, float]) -> dict[str, Any]:
    """A level and where its pixels lie."""
    translation = [level_translate(factor) * side for side in size]
    return {
        "path": str(factor),
        "coordinateTransformations": [
            {"type": "scale", "scale": [1.0, *(factor * side for side in size)]},
            {"type": "translation", "translation": [0.0, *translation]},
        ],
    }
