"""Levels that a file lacks, computed once and kept on disk."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from napari_relay.images.building import Build
from napari_relay.images.cache_room import room_on_disk
from napari_relay.images.damage import Damage
from napari_relay.images.level_folder import (
    REMEDY,
    CachePlace,
    LevelFolder,
    OpenLevels,
    level_folder,
    open_levels,
    prepare_levels,
)
from napari_relay.images.levels_plan import Chain, missing_chains
from napari_relay.images.ome_zarr import open_ome_zarr
from napari_relay.images.pixel_array import PixelArray
from napari_relay.images.source import ImageSource
from relay_tokens import UserError

Progress = Callable[[int, int], None]


def with_all_levels(source: ImageSource, place: CachePlace = "user") -> ImageSource:
    """The source with every level that viewing and inference need.

    Levels that were built before are found again while the file is unchanged.
    Others are blank, and ``build`` of the result builds them.

    Parameters
    ----------
    source
        What the file holds.
    place
        Where levels are built that were not begun elsewhere.

    Raises
    ------
    UserError
        When the disk has no room or cannot be written to.
    """
    chains = missing_chains(source)
    if not chains:
        return source
    folder = level_folder(source.path, place)
    levels = open_levels(folder.path, chains) or _prepared(folder, source, chains)
    merged = _merged(source, levels)
    if levels.record.is_complete:
        return merged
    numbers = {int(factor): k for k, factor in enumerate(merged.factors) if factor.is_integer()}
    known = replace(source, damage=merged.damage)
    return replace(merged, build=Build(known, folder, levels, numbers))


def built(source: ImageSource, progress: Progress | None = None) -> ImageSource:
    """The source once all its levels are built.

    Parameters
    ----------
    source
        What :func:`with_all_levels` gives.
    progress
        Called with ``(blocks done, blocks in all)``. An exception from it ends
        the build, which goes on from there at the next opening.

    Raises
    ------
    UserError
        When the disk has no room, or the file vanished or is nothing but damage.
    """
    build = source.build
    if build is None:
        return source
    for _ in build.run():
        if progress is not None:
            progress(build.done, build.total)
    return replace(source, build=None)


def copied_source(path: Path) -> ImageSource | None:
    """All levels of a file that was copied to the cache whole, or None.

    Spares decoding a large PNG or JPEG file again.
    """
    folder = level_folder(path).path
    if not (folder / "1").is_dir():
        return None
    try:
        copied = open_ome_zarr(folder, remedy=REMEDY)
    except UserError:
        return None
    source = replace(
        copied,
        path=path,
        arrays=copied.arrays[:1],
        chunks=copied.chunks[:1],
        factors=(1.0,),
        lazy=False,
    )
    levels = open_levels(folder, missing_chains(source))
    if levels is None or not levels.record.is_complete:
        return None
    return _merged(source, levels)


def _prepared(folder: LevelFolder, source: ImageSource, chains: Sequence[Chain]) -> OpenLevels:
    """Levels that are all still to be built."""
    item = source.arrays[0].dtype.itemsize
    needed = sum(math.prod(level.shape) for chain in chains for level in chain.levels) * item
    with room_on_disk(folder.path.parent, source.path, needed):
        prepare_levels(folder, source, chains)
    levels = open_levels(folder.path, chains)
    if levels is None:
        raise UserError(
            f"{folder.path} cannot be read again; delete it and open {source.path} anew."
        )
    return levels


def _merged(source: ImageSource, levels: OpenLevels) -> ImageSource:
    """Levels of the file and built ones, finest first."""
    merged: dict[float, tuple[PixelArray, tuple[int, int]]] = {
        float(factor): (array, array.chunk) for factor, array in levels.arrays.items()
    }
    found = zip(source.factors, source.arrays, source.chunks, strict=True)
    for factor, array, chunk in found:
        if source.lazy or factor != 1:
            merged[factor] = (array, chunk)
    factors = tuple(sorted(merged))
    arrays, chunks = zip(*(merged[factor] for factor in factors), strict=True)
    return replace(
        source,
        arrays=arrays,
        chunks=chunks,
        factors=factors,
        lazy=True,
        damage=Damage(levels.record.damage),
    )
