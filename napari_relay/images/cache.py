"""Levels that a file lacks, computed once and kept on disk."""

from __future__ import annotations

import errno
import math
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import zarr

from napari_relay.folders import HOME_VARIABLE, cache_folder, stamp
from napari_relay.geometry import level_translate
from napari_relay.images.halving import halve
from napari_relay.images.ome_zarr import ZarrLevel, metadata_file, open_ome_zarr
from napari_relay.images.pyramid import PixelArray
from napari_relay.images.source import ImageSource, Placement
from relay_tokens import UserError

Progress = Callable[[int, int], None]

COARSEST_SIDE = 1024
"""The coarsest level of an image is at most this wide and high."""
LARGEST_STEP = 4.0
"""Largest ratio of the factors of two neighbouring levels."""
CHUNK_SIDE = 512
"""Side of the chunks of built levels."""
BLOCK_BYTES = 64 * 2**20
"""Bytes of the source that are halved at once."""
STALE_SECONDS = 24 * 3600
"""Age at which an unfinished build is that of a process that was killed."""
PARTIAL_PREFIX = ".building-"
"""Start of the name of an unfinished build."""
NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
"""Errors of a folder in which nothing can be made."""
CACHE_REMEDY = "delete it and open the image again"
"""What a person can do about damaged levels in the cache."""
UNIT_NAMES = {"um": "micrometer", "m": "meter", "degree": "degree"}
"""Names of units in OME-Zarr."""


@dataclass(frozen=True)
class BuiltLevel:
    """A level to be built."""

    factor: int
    """Level-0 pixels a pixel: a power of two, 1 for a copy of level 0."""
    shape: tuple[int, int, int]
    """Rows, columns, bands."""
    origin: int
    """Factor of the level it is halved from; its own for a copy of level 0."""


def complete(source: ImageSource, progress: Progress | None = None) -> ImageSource:
    """The source with every level that viewing and inference need.

    Missing levels are built block by block, in memory that does not grow with
    the image, and found again at the next opening of the unchanged file.

    Parameters
    ----------
    source
        What the file holds.
    progress
        Called with ``(blocks done, blocks in all)`` while levels are built.

    Raises
    ------
    UserError
        When the disk has no room or the file is damaged.
    """
    plan = missing_levels(source)
    if not plan:
        return source
    target = _target(source.path)
    built = _open(target, plan)
    if built is None:
        _build(target, source, plan, progress or _no_progress)
        built = _open(target, plan)
    if built is None:
        raise UserError(f"{target} cannot be read again; delete it and open {source.path} anew.")
    return _merged(source, built)


def missing_levels(source: ImageSource) -> list[BuiltLevel]:
    """Levels to build: for gaps and for the coarse end, each with what it is halved from."""
    sizes = {int(f): a.shape for f, a in _exact(source).items()}
    plan = [] if source.lazy else [BuiltLevel(1, source.arrays[0].shape, 1)]
    for factor in sorted(_missing_factors(source)):
        rows, cols, bands = sizes[factor // 2]
        shape = (math.ceil(rows / 2), math.ceil(cols / 2), bands)
        plan.append(BuiltLevel(factor, shape, factor // 2))
        sizes[factor] = shape
    return plan


def _missing_factors(source: ImageSource) -> set[int]:
    """Powers of two inside gaps and beyond the coarsest level, and those on the way to them."""
    gaps = [
        (finer, coarser)
        for finer, coarser in pairwise(source.factors)
        if coarser / finer > LARGEST_STEP * 1.01
    ]
    side, coarsest = (max(array.shape[:2]) for array in (source.arrays[0], source.arrays[-1]))
    if coarsest > COARSEST_SIDE:
        end = 2.0 ** math.ceil(math.log2(side / COARSEST_SIDE))
        gaps.append((source.factors[-1], 2 * end))
    powers = [2**k for k in range(1, 31)]
    missing = {p for low, high in gaps for p in powers if low * 1.01 < p < high * 0.99}
    for factor in sorted(missing, reverse=True):
        while factor // 2 not in missing | {int(f) for f in _exact(source)}:
            factor //= 2
            missing.add(factor)
    return missing


def _exact(source: ImageSource) -> dict[float, PixelArray]:
    """Levels whose factor is exactly a power of two, by factor."""
    levels = zip(source.factors, source.arrays, strict=True)
    return {f: array for f, array in levels if f in {2.0**k for k in range(31)}}


def _merged(source: ImageSource, built: dict[int, ZarrLevel]) -> ImageSource:
    """Levels of the file and built ones, finest first."""
    levels: dict[float, tuple[PixelArray, tuple[int, int]]] = {
        float(factor): (level, level.chunk) for factor, level in built.items()
    }
    found = zip(source.factors, source.arrays, source.chunks, strict=True)
    for factor, array, chunk in found:
        if source.lazy or factor != 1:
            levels[factor] = (array, chunk)
    factors = tuple(sorted(levels))
    arrays, chunks = zip(*(levels[factor] for factor in factors), strict=True)
    return replace(source, arrays=arrays, chunks=chunks, factors=factors, lazy=True)


def copied_source(path: Path) -> ImageSource | None:
    """All levels of a file that was copied to the cache whole, or None.

    Spares decoding a large PNG or JPEG file again.
    """
    target = _target(path)
    if not (target / "1").is_dir():
        return None
    try:
        return replace(open_ome_zarr(target, remedy=CACHE_REMEDY), path=path)
    except UserError:
        return None


def _target(path: Path) -> Path:
    """Where the levels of the file's present content are kept.

    A folder is known by its metadata file: its own time does not tell of changes within.
    """
    name = stamp(path)
    if path.is_dir():
        name = f"{path.stem}-{stamp(metadata_file(path) or path)}"
    return cache_folder() / "pyramids" / f"{name}.ome.zarr"


def _open(target: Path, plan: list[BuiltLevel]) -> dict[int, ZarrLevel] | None:
    """Levels built before, or None when they are not all there."""
    if not target.is_dir():
        return None
    try:
        group = zarr.open_group(target, mode="r")
        found = {level.factor: group[str(level.factor)] for level in plan}
    except (KeyError, ValueError, OSError):
        return None
    levels = {f: _level(target, a) for f, a in found.items() if isinstance(a, zarr.Array)}
    fits = all(
        level.factor in levels and levels[level.factor].shape == level.shape for level in plan
    )
    return levels if fits else None


def _level(folder: Path, array: zarr.Array[Any]) -> ZarrLevel:
    return ZarrLevel(folder, array, "cyx", CACHE_REMEDY)


def _no_progress(done: int, total: int) -> None:
    """Take no notice."""


def _build(target: Path, source: ImageSource, plan: list[BuiltLevel], progress: Progress) -> None:
    """Build in a hidden sibling and rename it when it is whole."""
    with _room_on_disk(target.parent, source, plan):
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(target.parent)
        partial = Path(tempfile.mkdtemp(prefix=PARTIAL_PREFIX, dir=target.parent))
        try:
            _write_levels(partial, source, plan, progress)
            _put_in_place(partial, target, plan)
        finally:
            shutil.rmtree(partial, ignore_errors=True)


def _put_in_place(partial: Path, target: Path, plan: list[BuiltLevel]) -> None:
    """Rename; whole levels that another process put there first are as good, and in use."""
    if _open(target, plan) is not None:
        return
    shutil.rmtree(target, ignore_errors=True)
    try:
        partial.rename(target)
    except OSError:
        if _open(target, plan) is None:
            raise


def _remove_stale(folder: Path) -> None:
    """Delete what killed builds left behind."""
    for partial in folder.glob(f"{PARTIAL_PREFIX}*"):
        if time.time() - partial.stat().st_mtime > STALE_SECONDS:
            shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _room_on_disk(folder: Path, source: ImageSource, plan: list[BuiltLevel]) -> Iterator[None]:
    """Refuse to start without room, and name the folder when it runs out all the same."""
    item = source.arrays[0].dtype.itemsize
    needed = sum(math.prod(level.shape) for level in plan) * item
    error = UserError(
        f"{source.path} needs up to {needed / 1e6:.0f} MB for its smaller levels in {folder}; "
        f"make room there or set {HOME_VARIABLE} to a folder on a larger disk."
    )
    try:
        existing = next(parent for parent in (folder, *folder.parents) if parent.is_dir())
        if shutil.disk_usage(existing).free < needed:
            raise error
        yield
    except OSError as reason:
        if reason.errno in (errno.ENOSPC, errno.EDQUOT):
            raise error from reason
        if reason.errno in NOT_WRITABLE:
            raise UserError(
                f"{folder} cannot be written to, but {source.path} needs smaller levels there; "
                f"set {HOME_VARIABLE} to a folder that can."
            ) from reason
        raise


def _write_levels(
    folder: Path, source: ImageSource, plan: list[BuiltLevel], progress: Progress
) -> None:
    group = zarr.create_group(folder, zarr_format=3, overwrite=True)
    group.attrs["ome"] = _ome_metadata(source, plan)
    origins: dict[int, PixelArray] = {int(f): a for f, a in _exact(source).items()}
    total = sum(len(_blocks(level, source)) for level in plan)
    done = 0
    for level in plan:
        array = _create(group, level, source)
        for rows, cols in _blocks(level, source):
            _write_block(array, level, origins[level.origin], source, (rows, cols))
            done += 1
            progress(done, total)
        origins[level.factor] = _level(folder, array)


def _create(group: zarr.Group, level: BuiltLevel, source: ImageSource) -> zarr.Array[Any]:
    """An empty array ``(c, y, x)``, the order that OME-Zarr asks for."""
    rows, cols, bands = level.shape
    return group.create_array(
        str(level.factor),
        shape=(bands, rows, cols),
        chunks=(bands, CHUNK_SIDE, CHUNK_SIDE),
        dtype=source.arrays[0].dtype,
        dimension_names=("c", "y", "x"),
    )


def _blocks(level: BuiltLevel, source: ImageSource) -> list[tuple[slice, slice]]:
    """Parts of a level that are computed at once.

    For a copy of level 0, what the file decodes at once. Otherwise whole chunks,
    as wide as memory allows: that spares a file in strips from having each strip
    decoded many times.
    """
    rows, cols, bands = level.shape
    chunk = 4 * CHUNK_SIDE**2 * bands * source.arrays[0].dtype.itemsize
    height, width = CHUNK_SIDE, max(BLOCK_BYTES // chunk, 1) * CHUNK_SIDE
    if level.factor == 1:
        height, width = source.chunks[0]
    return [
        (slice(y, min(y + height, rows)), slice(x, min(x + width, cols)))
        for y in range(0, rows, height)
        for x in range(0, cols, width)
    ]


def _write_block(
    array: zarr.Array[Any],
    level: BuiltLevel,
    origin: PixelArray,
    source: ImageSource,
    block: tuple[slice, slice],
) -> None:
    step = level.factor // level.origin
    rows, cols = (
        slice(part.start * step, min(part.stop * step, size))
        for part, size in zip(block, origin.shape, strict=False)
    )
    pixels = origin[rows, cols, slice(None)]
    if step == 2:
        pixels = halve(pixels, source.nodata)
    array[(slice(None), *block)] = np.moveaxis(pixels, 2, 0)


def _ome_metadata(source: ImageSource, plan: list[BuiltLevel]) -> dict[str, Any]:
    """Metadata of OME-Zarr 0.5, so that other programs can open the levels."""
    place: Placement = source.placement
    unit = {"unit": UNIT_NAMES[place.unit]} if place.unit else {}
    size = place.pixel_size or (1.0, 1.0)
    datasets = [
        {
            "path": str(level.factor),
            "coordinateTransformations": [
                {"type": "scale", "scale": [1.0, *(level.factor * s for s in size)]},
                {
                    "type": "translation",
                    "translation": [0.0, *(level_translate(level.factor) * s for s in size)],
                },
            ],
        }
        for level in plan
    ]
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", **unit} for name in ("y", "x")]
    multiscale = {"name": source.path.stem, "axes": axes, "datasets": datasets, "type": "mean"}
    channels = [{"label": band, "color": "FFFFFF", "active": True} for band in source.bands]
    return {"version": "0.5", "multiscales": [multiscale], "omero": {"channels": channels}}
