"""Landscapes as Cloud-Optimized GeoTIFF files."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from napari_relay.geometry import TileGrid, Window
from napari_relay.landscapes.labels import LANDSCAPE_CLASSES
from napari_relay.landscapes.landscape import Landscape, LandscapePatch
from napari_relay.landscapes.placement import CRS, landscape_affine, level_factors
from relay_tokens import IGNORE_INDEX, UserError

if TYPE_CHECKING:
    from rasterio.io import DatasetWriter

BLOCK = 512
"""Side of the tiles in the files, in pixels."""
GDAL_CACHE = 64
"""Mebibytes that GDAL may keep of what it has not written yet."""
BYTES_PER_PIXEL = 9
"""While writing: the three files with their levels, and the largest of them once more."""


class _File(NamedTuple):
    """One of the files a landscape is written to."""

    name: str
    """Of the file."""
    bands: int
    """How many."""
    dtype: str
    """Of its pixels."""
    options: dict[str, Any]
    """Further options of GDAL's GeoTIFF driver."""
    resampling: str
    """How the coarser levels are made: rasterio's name."""


FILES = (
    _File("orthophoto.tif", 3, "uint8", {"photometric": "RGB", "predictor": 2}, "average"),
    _File("elevation.tif", 1, "float32", {"predictor": 3}, "average"),
    _File("labels.tif", 1, "uint8", {"nodata": IGNORE_INDEX}, "mode"),
)
"""Photograph, elevation and labels, in the order in which they are written."""

_PREDICTORS = {1: "no", 2: "standard", 3: "floating_point"}
"""TIFF's predictors as GDAL's COG driver names them."""


class WriteProgress(NamedTuple):
    """How far the writing is."""

    done: int
    """Tiles that are written."""
    total: int
    """Tiles in all."""


def write_landscape(landscape: Landscape, folder: str | Path) -> Iterator[WriteProgress]:
    """Write a landscape as three Cloud-Optimized GeoTIFF files on one grid.

    ``orthophoto.tif`` (red, green, blue; uint8), ``elevation.tif`` (float32,
    metres) and ``labels.tif`` (uint8; 255 is nodata, the class names are the tag
    ``CLASSES``) are tiled, compressed without loss, and have coarser levels: means
    of the pixels, and the most frequent label. No file has its name before all
    three are whole. Memory does not depend on the size.

    Parameters
    ----------
    landscape
        What is written.
    folder
        Made when it is not there.

    Yields
    ------
    WriteProgress
        After every tile of 512 × 512 pixels.

    Raises
    ------
    UserError
        When rasterio is missing, a file is there already, or the disk is too full.
    """
    folder = Path(folder)
    _check(landscape, folder)
    scratch = [folder / f"{file.name}.part" for file in FILES]
    try:
        yield from _write(landscape, scratch)
        for path, file in zip(scratch, FILES, strict=True):
            _optimise(path, file)
        for path, file in zip(scratch, FILES, strict=True):
            path.replace(folder / file.name)
    finally:
        for path in scratch:
            path.unlink(missing_ok=True)
            _copy_of(path).unlink(missing_ok=True)


def _check(landscape: Landscape, folder: Path) -> None:
    if importlib.util.find_spec("rasterio") is None:
        raise UserError("Writing a landscape needs rasterio; run: pip install 'napari-relay[geo]'")
    there = [file.name for file in FILES if (folder / file.name).exists()]
    if there:
        raise UserError(f"{folder} has {there[0]} already; choose another folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"{folder} is a file; choose a folder.") from error
    needed, free = BYTES_PER_PIXEL * landscape.window.area, shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"{folder} has room for {free / 1e9:.1f} GB but the landscape may need "
            f"{needed / 1e9:.1f} GB; choose another disk or a smaller size."
        )


def _write(landscape: Landscape, paths: list[Path]) -> Iterator[WriteProgress]:
    import rasterio
    from rasterio.errors import RasterioError

    grid = TileGrid(*landscape.size, BLOCK, 0)
    tiles = grid.tiles_in(landscape.window)
    try:
        with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE), ExitStack() as stack:
            files = [
                stack.enter_context(closing(_create(landscape, path, file)))
                for path, file in zip(paths, FILES, strict=True)
            ]
            for number, tile in enumerate(tiles, 1):
                window = grid.tile(*tile)
                _write_tile(files, landscape.read(window), window)
                yield WriteProgress(number, len(tiles))
            _build_levels(files, landscape)
    except RasterioError as error:
        raise _not_written(paths[0], error) from error


def _optimise(path: Path, file: _File) -> None:
    """Order a file as a Cloud-Optimized GeoTIFF; one that grew tile by tile cannot be."""
    import rasterio
    from rasterio import shutil as raster_copy
    from rasterio.errors import RasterioError

    try:
        with rasterio.Env(GDAL_CACHEMAX=GDAL_CACHE):
            raster_copy.copy(
                path,
                _copy_of(path),
                driver="COG",
                blocksize=BLOCK,
                compress="deflate",
                predictor=_PREDICTORS[file.options.get("predictor", 1)],
                overviews="force_use_existing",
                bigtiff="if_safer",
            )
    except RasterioError as error:
        raise _not_written(path, error) from error
    _copy_of(path).replace(path)


def _copy_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.cog")


def _not_written(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path.parent} could not be written ({error}); "
        "check that the disk has room and may be written to."
    )


def _create(landscape: Landscape, path: Path, file: _File) -> DatasetWriter:
    import rasterio

    rows, cols = landscape.size
    created = rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=rows,
        width=cols,
        count=file.bands,
        dtype=file.dtype,
        crs=CRS,
        transform=rasterio.Affine(*landscape_affine(landscape)),
        tiled=True,
        blockxsize=BLOCK,
        blockysize=BLOCK,
        compress="deflate",
        bigtiff="IF_SAFER",
        **file.options,
    )
    created.update_tags(SEED=landscape.seed, SCALE=landscape.scale)
    if file.name == "labels.tif":
        created.update_tags(CLASSES=json.dumps(LANDSCAPE_CLASSES.names))
    return created


def _write_tile(files: list[DatasetWriter], patch: LandscapePatch, window: Window) -> None:
    rows, cols = window.slices
    where = ((rows.start, rows.stop), (cols.start, cols.stop))
    contents = (patch.rgb.transpose(2, 0, 1), patch.elevation[None], patch.labels[None])
    for file, content in zip(files, contents, strict=True):
        file.write(np.ascontiguousarray(content), window=where)


def _build_levels(files: list[DatasetWriter], landscape: Landscape) -> None:
    from rasterio.enums import Resampling

    factors = level_factors(landscape.size)[1:] or [2]
    for opened, file in zip(files, FILES, strict=True):
        opened.build_overviews(factors, Resampling[file.resampling])
