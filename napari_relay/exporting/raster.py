"""Label rasters as TIFF and PNG."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_relay.exporting.geotiff import ExtraTag, affine_tags, crs_tags, nodata_tag
from napari_relay.exporting.placement import Placement
from relay_tokens import IGNORE_INDEX, ClassSchema

_TILE = 512
_PIXELS_OF_CLASSIC_TIFF = 2**31
_CENTIMETRES = {"um": 1e-4, "m": 100.0}
_OME_UNITS = {"um": "µm", "m": "m"}


class LabelArray(Protocol):
    """A 2-D array that is read by slices: numpy, Dask or zarr."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(rows, cols)``."""

    def __getitem__(self, key: Any, /) -> Any:
        """Values of a rectangle."""


def write_png(path: Path, labels: LabelArray, classes: ClassSchema | None) -> None:
    """Write a PNG whose pixel values are the labels, with a colour table; 255 is clear."""
    image = Image.fromarray(np.asarray(labels[: labels.shape[0], : labels.shape[1]]))
    image.putpalette(_colors(classes).tobytes())
    image.save(path, format="PNG", transparency=IGNORE_INDEX)


def write_tiff(
    path: Path, levels: Sequence[LabelArray], classes: ClassSchema | None, placement: Placement
) -> None:
    """Write a pyramidal TIFF tile by tile.

    In OME-TIFF (``.ome.tif``) the coarser levels are SubIFDs, as that format
    wants them; else pages of their own, where GDAL looks for overviews.
    """
    is_ome = path.stem.lower().endswith(".ome")
    height, width = levels[0].shape
    big = height * width > _PIXELS_OF_CLASSIC_TIFF
    with tifffile.TiffWriter(path, bigtiff=big, ome=is_ome) as tiff:
        for k, level in enumerate(levels):
            described = _ome(classes, placement) if is_ome else None
            tiff.write(
                _tiles(level),
                shape=level.shape,
                dtype="uint8",
                tile=(_TILE, _TILE),
                compression="deflate",
                photometric="palette",
                colormap=_colors(classes).T.astype(np.uint16) * 257,
                subifds=len(levels) - 1 if is_ome and k == 0 else None,
                subfiletype=min(k, 1),
                metadata=described if k == 0 else None,
                description=_description(classes, placement) if k == 0 and not is_ome else None,
                extratags=_tags(placement) if k == 0 else (),
                resolution=_resolution(placement, 2**k),
                resolutionunit="CENTIMETER" if _resolution(placement, 1) else None,
                software=False,
            )


def _tiles(level: LabelArray) -> Iterator[NDArray[np.uint8]]:
    height, width = level.shape
    for y in range(0, height, _TILE):
        for x in range(0, width, _TILE):
            part = np.asarray(level[y : min(y + _TILE, height), x : min(x + _TILE, width)])
            tile = np.full((_TILE, _TILE), IGNORE_INDEX, dtype=np.uint8)
            tile[: part.shape[0], : part.shape[1]] = part
            yield tile


def _colors(classes: ClassSchema | None) -> NDArray[np.uint8]:
    """``(256, 3)``; grey where there is no class, black for 255."""
    colors = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    colors[IGNORE_INDEX] = 0
    for label, member in enumerate(classes or ()):
        colors[label] = list(bytes.fromhex(member.color[1:]))
    return colors


def _description(classes: ClassSchema | None, placement: Placement) -> str:
    """Class names and colours, and the CRS as text, as one JSON object."""
    named = [{"label": k, "name": c.name, "color": c.color} for k, c in enumerate(classes or ())]
    document = {"classes": named, "nodata": IGNORE_INDEX, "crs": placement.crs}
    return json.dumps(document)


def _ome(classes: ClassSchema | None, placement: Placement) -> dict[str, Any]:
    metadata: dict[str, Any] = {"axes": "YX", "Description": _description(classes, placement)}
    unit = _OME_UNITS.get(placement.unit or "")
    if placement.pixel_size and unit:
        for axis, size in zip("YX", placement.pixel_size, strict=True):
            metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": unit}
    return metadata


def _tags(placement: Placement) -> list[ExtraTag]:
    tags = [nodata_tag(IGNORE_INDEX)]
    if placement.affine is not None and placement.crs is not None:
        tags += affine_tags(placement.affine)
        tags += crs_tags(placement.crs, is_geographic=placement.unit == "degree")
    return tags


def _resolution(placement: Placement, step: int) -> tuple[float, float] | None:
    """Pixels a centimetre, ``(x, y)``."""
    length = _CENTIMETRES.get(placement.unit or "")
    if placement.pixel_size is None or length is None:
        return None
    rows, cols = placement.pixel_size
    return 1 / (cols * length * step), 1 / (rows * length * step)
