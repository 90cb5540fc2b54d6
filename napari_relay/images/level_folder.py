"""The folder in which the levels of an image are built."""

from __future__ import annotations

import glob
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import zarr

from napari_relay.folders import cache_folder
from napari_relay.images.block_record import BlockRecord, begin_record
from napari_relay.images.built_array import BuiltArray
from napari_relay.images.cache_room import MAKING, SUFFIX, InUse, remove, remove_old_versions
from napari_relay.images.level_metadata import create_group
from napari_relay.images.levels_plan import BuiltLevel, Chain
from napari_relay.images.ome_zarr import ZarrLevel, metadata_file
from napari_relay.images.source import ImageSource

CachePlace = Literal["user", "beside"]
"""Where levels are kept: in the user's cache folder, or beside the image."""
BESIDE_SUFFIX = f".levels{SUFFIX}"
"""End of the name of levels beside an image."""
REMEDY = "delete it and open the image again"
"""What a person can do about damaged levels in the cache."""
LONGEST_STEM = 80
"""Characters of an image's name that its levels' name has."""
CONTENT_DIGITS = 12
"""Digits that tell contents of an image apart."""


@dataclass(frozen=True)
class LevelFolder:
    """Where the levels of the present content of an image are kept."""

    path: Path
    """The OME-Zarr folder."""
    versions: str
    """Pattern of the names of the folders of all contents of the image."""


@dataclass(frozen=True, eq=False)
class OpenLevels:
    """Built levels, or levels that are being built."""

    arrays: dict[int, BuiltArray]
    """By factor."""
    record: BlockRecord
    """What is built of them."""


def level_folder(path: Path, place: CachePlace = "user") -> LevelFolder:
    """Where the levels of an image are kept.

    Beside it, as ``<name>-<content>.levels.ome.zarr``, if that is asked for or
    was once; else in the cache folder. The name changes with size and time of
    the file; a folder is known by its metadata file, as its own time does not
    tell of changes within.
    """
    beside = f"{path.name[:LONGEST_STEM]}-"
    if place == "beside" or any(path.parent.glob(_versions(beside, BESIDE_SUFFIX))):
        return _folder(path, path.absolute().parent, beside, BESIDE_SUFFIX)
    place_hash = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    stem = f"{path.stem[:LONGEST_STEM]}-{place_hash}-"
    return _folder(path, cache_folder() / "pyramids", stem, SUFFIX)


def _folder(path: Path, parent: Path, start: str, suffix: str) -> LevelFolder:
    status = ((metadata_file(path) if path.is_dir() else None) or path).stat()
    content = f"{status.st_size}|{status.st_mtime_ns}"
    digits = hashlib.sha256(content.encode()).hexdigest()[:CONTENT_DIGITS]
    return LevelFolder(parent / f"{start}{digits}{suffix}", _versions(start, suffix))


def _versions(start: str, suffix: str) -> str:
    return glob.escape(start) + "[0-9a-f]" * CONTENT_DIGITS + suffix


def open_levels(folder: Path, chains: Sequence[Chain]) -> OpenLevels | None:
    """Levels that are built, or being built, or None when there are none that fit."""
    if not folder.is_dir():
        return None
    in_use = InUse(folder)
    try:
        group = zarr.open_group(folder, mode="r")
        record = BlockRecord(folder, chains)
        arrays = {
            level.factor: BuiltArray(_stored(folder, group, level), level, k, record, in_use)
            for k, chain in enumerate(record.chains)
            for level in chain.levels
        }
    except (KeyError, ValueError, TypeError, OSError):
        return None
    fits = all(array.stored.shape == array.shape for array in arrays.values())
    return OpenLevels(arrays, record) if fits else None


def _stored(folder: Path, group: zarr.Group, level: BuiltLevel) -> ZarrLevel:
    array = group[str(level.factor)]
    if not isinstance(array, zarr.Array):
        raise TypeError(f"{level.factor} is no array")
    return ZarrLevel(folder, array, "cyx", REMEDY)


def prepare_levels(folder: LevelFolder, source: ImageSource, chains: Sequence[Chain]) -> None:
    """Set up the folder of levels that are to be built, in place of anything that does not fit.

    Raises
    ------
    OSError
        When it cannot be written.
    """
    made = folder.path.with_name(f"{MAKING}{uuid.uuid4().hex}")
    create_group(made, source, [level for chain in chains for level in chain.levels])
    begin_record(made, chains)
    if folder.path.exists() and open_levels(folder.path, chains) is None:
        remove(folder.path)
    try:
        made.rename(folder.path)
    except OSError:
        remove(made)
        if open_levels(folder.path, chains) is None:
            raise
    remove_old_versions(folder.path, folder.versions)
