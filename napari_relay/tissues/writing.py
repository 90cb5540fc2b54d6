"""Cores as a folder of images and masks to train on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from napari_relay.geometry import TileGrid
from napari_relay.landscapes.landscape import TILE, tiles_in
from napari_relay.landscapes.placement import level_factors
from napari_relay.tissues.core import TissueCore
from napari_relay.tissues.labels import GLEASON_CLASSES
from napari_relay.tissues.pyramid import halved
from relay_tokens import IGNORE_INDEX, UserError

HELD_OUT = 6
"""One core of so many is validated on, and one tested on; at least one each."""
FEWEST = 3
"""Cores of a folder: one for each split."""
MOST = 10_000
"""Cores of a folder."""
BYTES_PER_PIXEL = 4
"""Of an image and a mask, levels and all: somewhat more than they usually take."""
NOTE = "Synthetic tissue, computed by napari-relay; not a photograph of a patient's tissue."
"""Said in every image and in ``classes.json``."""
_MICROMETRES_PER_CM = 10_000


class CoreProgress(NamedTuple):
    """How far the writing is."""

    done: int
    """Tiles that are computed."""
    total: int
    """Tiles of all cores."""


def write_cores(
    cores: int, diameter_px: int, seed: int, folder: str | Path
) -> Iterator[CoreProgress]:
    """Write synthetic cores, each of its own seed, as a folder for ``open_dataset``.

    ``images/synthetic-core-SEED.tif`` are tiled RGB images of 0.5 µm pixels, with
    coarser levels, compressed without loss; ``masks/`` has their grades,
    ``classes.json`` the classes and ``split.json`` which cores are trained,
    validated and tested on. The folder has its name only when all of it is
    written. One core at a time is held in memory, about 6 bytes a pixel.

    Parameters
    ----------
    cores
        How many, 3 or more.
    diameter_px
        Of each, in pixels.
    seed
        Of the first; the next ones have the next seeds.
    folder
        Made; it may be there if it is empty.

    Yields
    ------
    CoreProgress
        After every tile of 256 × 256 pixels.

    Raises
    ------
    UserError
        When a number is out of range, the folder holds something, or the disk
        is too full.
    """
    folder = Path(folder)
    if not FEWEST <= cores <= MOST:
        raise UserError(f"{cores} cores were asked for; choose {FEWEST} to {MOST}.")
    made = [TissueCore(seed + k, diameter_px) for k in range(cores)]
    _check(folder, cores * made[0].window.area)
    scratch = folder.with_name(f"{folder.name}.part")
    try:
        yield from _write(made, scratch)
        if folder.exists():
            folder.rmdir()
        scratch.rename(folder)
    except OSError as error:
        raise UserError(
            f"{folder} could not be written ({error}); "
            "check that the disk has room and may be written to."
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _check(folder: Path, pixels: int) -> None:
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; choose a folder.")
    scratch = folder.with_name(f"{folder.name}.part")
    for path in (folder, scratch):
        if path.exists() and (path == scratch or any(path.iterdir())):
            raise UserError(f"{path} is there already; choose another folder.")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{folder.parent} is a file; choose a folder.") from error
    needed, free = BYTES_PER_PIXEL * pixels, shutil.disk_usage(folder.parent).free
    if free < needed:
        raise UserError(
            f"{folder.parent} has room for {free / 1e9:.1f} GB but the cores may need "
            f"{needed / 1e9:.1f} GB; choose another disk or fewer cores."
        )


def _write(cores: list[TissueCore], folder: Path) -> Iterator[CoreProgress]:
    for part in ("images", "masks"):
        (folder / part).mkdir(parents=True)
    a_core = len(tiles_in(cores[0].window))
    for number, core in enumerate(cores):
        rgb, labels = np.empty((*core.size, 3), np.uint8), np.empty(core.size, np.uint8)
        for done in _compute(core, rgb, labels):
            yield CoreProgress(number * a_core + done, len(cores) * a_core)
        _write_image(folder / "images" / f"{core_name(core)}.tif", core, rgb)
        Image.fromarray(labels).save(folder / "masks" / f"{core_name(core)}.png")
    (folder / "classes.json").write_text(_json(_classes()), encoding="utf-8")
    (folder / "split.json").write_text(_json(split_cores(cores)), encoding="utf-8")


def _compute(core: TissueCore, rgb: NDArray[np.uint8], labels: NDArray[np.uint8]) -> Iterator[int]:
    """Fill in the pixels and labels; after every tile, say how many there are."""
    grid = TileGrid(*core.size, TILE, 0)
    for done, tile in enumerate(grid.tiles_in(core.window), 1):
        window = grid.tile(*tile)
        rgb[window.slices], labels[window.slices] = core.read(window)
        yield done


def _write_image(path: Path, core: TissueCore, rgb: NDArray[np.uint8]) -> None:
    factors = level_factors(core.size)
    with tifffile.TiffWriter(path) as tiff:
        for factor in factors:
            per_cm = _MICROMETRES_PER_CM / (core.pixel_size * factor)
            tiff.write(
                rgb if factor == 1 else halved(rgb, factor),
                photometric="rgb",
                tile=(TILE, TILE),
                compression="deflate",
                predictor=True,
                subifds=len(factors) - 1 if factor == 1 else None,
                subfiletype=min(factor - 1, 1),
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                description=f"{NOTE} Seed {core.seed}." if factor == 1 else None,
                software="napari-relay",
                metadata=None,
            )


def core_name(core: TissueCore) -> str:
    """What the files of a core are called."""
    return f"synthetic-core-{core.seed:04d}"


def split_cores(cores: list[TissueCore]) -> dict[str, list[str]]:
    """Names of the cores of each split: the last ones are held out."""
    names = [core_name(core) for core in cores]
    held = max(len(names) // HELD_OUT, 1)
    first = len(names) - 2 * held
    return {"train": names[:first], "val": names[first:-held], "test": names[-held:]}


def _classes() -> dict[str, object]:
    """What ``classes.json`` says."""
    classes = [
        {"name": entry.name, "color": entry.color, "value": value}
        for value, entry in enumerate(GLEASON_CLASSES)
    ]
    return {"note": NOTE, "classes": classes, "ignore": IGNORE_INDEX}


def _json(content: object) -> str:
    return json.dumps(content, indent=2) + "\n"
