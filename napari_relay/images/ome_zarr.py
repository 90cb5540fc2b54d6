"""OME-Zarr 0.4 (zarr v2) and 0.5 (zarr v3) images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from napari_relay.images.limits import REMEDY, check_chunk, check_size, damaged, is_lazy
from napari_relay.images.source import (
    ImageSource,
    Placement,
    default_bands,
    joined_chunks,
    level_factor,
    native_dtype,
    native_pixels,
)
from napari_relay.images.tiff_metadata import in_known_unit
from relay_tokens import UserError

METADATA_FILES = ("zarr.json", ".zattrs", ".zgroup")
"""Files of which a zarr group has at least one."""
OLD_AXES = "tczyx"
"""Axes of versions that did not name them."""
PRIMARIES = ["FF0000", "00FF00", "0000FF"]
"""Colours of three channels that are one RGB picture."""

ZarrArray = zarr.Array[Any]


@dataclass(frozen=True, eq=False)
class ZarrLevel:
    """One level of an OME-Zarr image, as ``(y, x, band)``."""

    path: Path
    """The image's folder."""
    array: ZarrArray
    """The level with all its axes."""
    axes: str
    """A letter for each axis of :attr:`array`."""
    remedy: str
    """What a person can do about damage."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns, bands."""
        bands = self.array.shape[self.axes.index("c")] if "c" in self.axes else 1
        return (*self._along_yx(self.array.shape), bands)

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Data type in native byte order."""
        return native_dtype(np.dtype(self.array.dtype), self.path)

    @property
    def chunk(self) -> tuple[int, int]:
        """Rows and columns that are compressed together."""
        return self._along_yx(self.array.chunks)

    @property
    def chunk_bytes(self) -> int:
        """Bytes of a chunk."""
        return math.prod(self.array.chunks) * np.dtype(self.array.dtype).itemsize

    def _along_yx(self, sizes: Sequence[int]) -> tuple[int, int]:
        return sizes[self.axes.index("y")], sizes[self.axes.index("x")]

    def __getitem__(self, key: tuple[slice, slice, slice]) -> NDArray[np.generic]:
        """Pixels ``(y, x, band)`` of three slices; the first of any other axis."""
        wanted = {"y": key[0], "x": key[1], "c": key[2]}
        try:
            # A chunk that is not there is one without data, unless all is gone.
            self.path.stat()
            stored = np.asarray(self.array[tuple(wanted.get(axis, 0) for axis in self.axes)])
        # Every codec has its own exceptions; all of them mean a damaged folder here.
        except Exception as error:
            raise damaged(self.path, key[0], key[1], self.remedy) from error
        kept = [axis for axis in self.axes if axis in wanted]
        pixels = stored.transpose([kept.index(axis) for axis in "yxc" if axis in kept])
        pixels = pixels if "c" in kept else pixels[..., None]
        return np.ascontiguousarray(native_pixels(pixels, self.dtype))


def metadata_file(folder: Path) -> Path | None:
    """The file that makes a folder a zarr group, or None."""
    return next((folder / f for f in METADATA_FILES if (folder / f).is_file()), None)


def open_ome_zarr(path: Path, *, remedy: str = REMEDY) -> ImageSource:
    """Read what an OME-Zarr folder holds, without its pixels.

    Parameters
    ----------
    path
        The folder.
    remedy
        What errors about damaged pixels tell a person to do.

    Raises
    ------
    UserError
        When the folder is no OME-Zarr image or its metadata do not fit its arrays.
    """
    try:
        return _source(path, _image_group(path), remedy)
    except UserError:
        raise
    except (KeyError, IndexError, ValueError, TypeError, OSError) as error:
        raise UserError(
            f"{path} is not a readable OME-Zarr image; open a folder whose metadata have "
            "multiscales (OME-Zarr 0.4 or 0.5)."
        ) from error


def _image_group(path: Path) -> zarr.Group:
    """The group with the image; the first one of a Bio-Formats collection."""
    if metadata_file(path) is None:
        raise UserError(
            f"{path} is a folder without OME-Zarr metadata; open a file or an OME-Zarr folder."
        )
    group = zarr.open_group(path, mode="r")
    metadata = _metadata(group)
    if "plate" in metadata:
        raise UserError(f"{path} is a plate of many images; open one of the fields in it.")
    if "multiscales" not in metadata and "bioformats2raw.layout" in metadata:
        return zarr.open_group(path / "0", mode="r")
    return group


def _metadata(group: zarr.Group) -> Mapping[str, Any]:
    """The OME metadata, which 0.5 puts under a key of their own."""
    attributes: Mapping[str, Any] = group.attrs.asdict()
    nested = attributes.get("ome")
    return nested if isinstance(nested, Mapping) else attributes


def _source(path: Path, group: zarr.Group, remedy: str) -> ImageSource:
    metadata = _metadata(group)
    multiscale = metadata["multiscales"][0]
    axes, arrays = _arrays(group, multiscale)
    levels = _levels(path, arrays, axes, remedy)
    first = levels[0]
    item = first.dtype.itemsize
    return ImageSource(
        path=path,
        arrays=tuple(levels),
        chunks=tuple(joined_chunks(level.shape, level.chunk, item) for level in levels),
        factors=tuple(level_factor(first.shape, level.shape) for level in levels),
        bands=_bands(metadata, first),
        placement=_placement(multiscale, axes),
        lazy=is_lazy(first.shape, first.chunk, first.chunk_bytes),
    )


def _arrays(group: zarr.Group, multiscale: Mapping[str, Any]) -> tuple[str, list[ZarrArray]]:
    """Axes, and the arrays of all levels."""
    nodes = [group[dataset["path"]] for dataset in multiscale["datasets"]]
    arrays = [node for node in nodes if isinstance(node, zarr.Array)]
    ndim = arrays[0].ndim
    named = multiscale.get("axes", OLD_AXES[-ndim:])
    axes = "".join(a if isinstance(a, str) else a["name"] for a in named).lower()
    if not {"y", "x"} <= set(axes) <= set(OLD_AXES) or len(axes) != ndim:
        raise ValueError(f"axes {axes!r}")
    return axes, arrays


def _levels(path: Path, arrays: list[ZarrArray], axes: str, remedy: str) -> list[ZarrLevel]:
    """Level 0, and the coarser ones that can be read window by window."""
    levels: list[ZarrLevel] = []
    for array in arrays:
        made = ZarrLevel(path, array, axes, remedy)
        if not levels or _is_coarser(made, levels[-1]):
            levels.append(made)
    check_size(path, *levels[0].shape)
    check_chunk(path, levels[0].chunk_bytes)
    return levels


def _is_coarser(level: ZarrLevel, finer: ZarrLevel) -> bool:
    """Whether a level can follow another one, and can be read lazily."""
    return (
        min(level.shape) > 0
        and max(level.shape[:2]) < max(finer.shape[:2])
        and (level.shape[2], level.dtype) == (finer.shape[2], finer.dtype)
        and is_lazy(level.shape, level.chunk, level.chunk_bytes)
    )


def _placement(multiscale: Mapping[str, Any], axes: str) -> Placement:
    """Scale of level 0 and of the whole, in the unit of the axes."""
    scale = np.ones(len(axes))
    dataset = multiscale["datasets"][0]
    for transformations in (dataset, multiscale):
        for one in transformations.get("coordinateTransformations", ()):
            scale *= np.asarray(one["scale"] if one["type"] == "scale" else 1.0)
    named = multiscale.get("axes", ())
    units = [a.get("unit", "") if isinstance(a, Mapping) else "" for a in named]
    if len(units) != len(axes):
        return Placement()
    y, x = axes.index("y"), axes.index("x")
    return in_known_unit((float(scale[y]), float(scale[x])), (units[y], units[x]))


def _bands(metadata: Mapping[str, Any], level: ZarrLevel) -> tuple[str, ...]:
    """Labels of the channels; three channels in red, green and blue are RGB."""
    count = level.shape[2]
    channels = metadata.get("omero", {}).get("channels", [])
    labels = [str(channel.get("label") or "") for channel in channels]
    if len(labels) == count and all(labels):
        return tuple(labels)
    colours = [str(channel.get("color", "")).upper() for channel in channels]
    return default_bands(count, rgb=count == 3 and colours == PRIMARIES)
