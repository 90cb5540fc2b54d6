"""Rasters that GDAL reads, through rasterio: VRT, JPEG2000, ERDAS, ESRI and ENVI grids."""

from __future__ import annotations

import importlib.util
import math
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.gdal_level import DatasetPool, GdalLevel
from napari_relay.images.limits import check_chunk, check_content, check_size, is_lazy
from napari_relay.images.masking import blank_value, nodata_of
from napari_relay.images.source import (
    ImageSource,
    Placement,
    default_bands,
    fitting_nodata,
    joined_chunks,
    level_factor,
    native_dtype,
)
from relay_tokens import UserError

if TYPE_CHECKING:
    from rasterio.crs import CRS
    from rasterio.io import DatasetReader

DRIVERS: dict[str, tuple[str, ...]] = {
    ".vrt": ("VRT",),
    ".jp2": ("JP2OpenJPEG",),
    ".j2k": ("JP2OpenJPEG",),
    ".img": ("HFA", "ENVI", "EHdr"),
    ".asc": ("AAIGrid", "GRASSASCIIGrid"),
    ".bil": ("EHdr", "ENVI"),
    ".bip": ("EHdr", "ENVI"),
    ".bsq": ("EHdr", "ENVI"),
    ".flt": ("EHdr",),
    ".dat": ("ENVI",),
    ".dem": ("USGSDEM",),
    ".hgt": ("SRTMHGT",),
    ".dt0": ("DTED",),
    ".dt1": ("DTED",),
    ".dt2": ("DTED",),
    ".ntf": ("NITF",),
    ".nitf": ("NITF",),
    ".gpkg": ("GPKG",),
    ".sdat": ("SAGA",),
    ".grd": ("GSBG", "GS7BG", "GSAG", "RRASTER", "NWT_GRD"),
    ".pix": ("PCIDSK",),
    ".ers": ("ERS",),
    ".rst": ("RST",),
    ".webp": ("WEBP",),
}
"""GDAL drivers that may open a file, by its suffix."""
TIFF_DRIVERS = ("GTiff",)
"""Drivers for a TIFF file that no other reader understands."""
VIRTUAL = (".vrt",)
"""Suffixes of files whose pixels lie in other files."""
MEANINGLESS = r"\s*|(Layer_|Band[ _]?)\d+"
"""Names that drivers give to bands for want of a better."""


def gdal_suffixes() -> tuple[str, ...]:
    """Suffixes of files that GDAL reads."""
    return tuple(DRIVERS)


def open_gdal_raster(path: Path, drivers: Sequence[str] | None = None) -> ImageSource:
    """Read what a raster holds, without its pixels.

    Values are those that are stored: a scale and an offset are not applied.

    Parameters
    ----------
    path
        The raster.
    drivers
        GDAL drivers that may open it; by default those for its suffix.

    Raises
    ------
    UserError
        When rasterio is not installed, or GDAL finds no raster there.
    """
    if importlib.util.find_spec("rasterio") is None:
        raise UserError(
            f"{path} is a raster that needs rasterio; install it with "
            'pip install "napari-relay[geo]", or convert the raster to GeoTIFF.'
        )
    allowed = drivers or DRIVERS[path.suffix.lower()]
    if path.suffix.lower() in VIRTUAL:
        _check_text(path)
    try:
        return _source(path, allowed)
    except UserError:
        raise
    # What GDAL finds odd comes as many kinds of exception.
    except Exception as error:
        path.stat()
        raise UserError(
            f"{path} is not a raster that can be read, or is cut off; "
            "copy it again with the files that belong to it, or export it anew."
        ) from error


def _check_text(path: Path) -> None:
    """Refuse bytes that are no text, which rasterio fails to put into its log."""
    try:
        path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not text in UTF-8; save it in UTF-8 or export it anew."
        ) from error


def _source(path: Path, drivers: Sequence[str]) -> ImageSource:
    full = DatasetPool(path, drivers)
    with full.handle() as dataset:
        _check(path, dataset)
        blank, nodata = _nodata(path, dataset)
        level = _level(full, dataset, blank)
        placement, names = _placement(dataset), _names(dataset, level)
        overviews, notes = len(dataset.overviews(1)), _notes(path, dataset)
    levels = [level, *_coarser(path, drivers, level, overviews)]
    item = level.dtype.itemsize
    return ImageSource(
        path=path,
        arrays=tuple(levels),
        chunks=tuple(joined_chunks(lv.shape, lv.chunk, item) for lv in levels),
        factors=tuple(level_factor(level.shape, lv.shape) for lv in levels),
        bands=names,
        placement=placement,
        nodata=nodata,
        lazy=is_lazy(level.shape, level.chunk, level.chunk_bytes),
        notes=notes,
    )


def _check(path: Path, dataset: DatasetReader) -> None:
    """Refuse what holds no raster or several, and sizes that cannot be."""
    if not dataset.count and len(dataset.subdatasets) > 1:
        raise UserError(
            f"{path} holds {len(dataset.subdatasets)} rasters; export one of them to GeoTIFF."
        )
    check_size(path, dataset.height, dataset.width, dataset.count)
    if path.suffix.lower() not in VIRTUAL:
        length = sum(Path(name).stat().st_size for name in dataset.files)
        check_content(path, dataset.height * dataset.width, length)


def _level(pool: DatasetPool, dataset: DatasetReader, blank: float | None) -> GdalLevel:
    indexes, palette = _kept(dataset), _palette(dataset)
    stored = np.result_type(*(np.dtype(dataset.dtypes[k - 1]) for k in indexes))
    dtype = native_dtype(np.dtype(np.uint8) if palette is not None else stored, pool.path)
    shape = (dataset.height, dataset.width, 3 if palette is not None else len(indexes))
    rows, cols = dataset.block_shapes[0]
    chunk = (min(rows, shape[0]), min(cols, shape[1]))
    made = GdalLevel(pool, shape, dtype, chunk, indexes, palette, blank)
    check_chunk(pool.path, made.chunk_bytes)
    return made


def _coarser(
    path: Path, drivers: Sequence[str], full: GdalLevel, count: int
) -> Iterator[GdalLevel]:
    """Overviews that can be read window by window."""
    finer = full
    for number in range(count):
        pool = DatasetPool(path, drivers, number)
        with pool.handle() as dataset:
            level = _level(pool, dataset, full.blank)
        if is_lazy(level.shape, level.chunk, level.chunk_bytes) and (
            min(level.shape) > 0 and max(level.shape[:2]) < max(finer.shape[:2])
        ):
            yield level
            finer = level


def _kept(dataset: DatasetReader) -> tuple[int, ...]:
    """Numbers of the bands that are not opacity."""
    from rasterio.enums import ColorInterp

    interpretations = zip(dataset.indexes, dataset.colorinterp, strict=True)
    kept = tuple(k for k, meaning in interpretations if meaning != ColorInterp.alpha)
    return kept or tuple(dataset.indexes)


def _palette(dataset: DatasetReader) -> NDArray[np.uint8] | None:
    """Colours ``(index, 3)`` of a raster of colour indices."""
    from rasterio.enums import ColorInterp

    if dataset.count != 1 or dataset.colorinterp[0] != ColorInterp.palette:
        return None
    colours = dataset.colormap(1)
    table = np.zeros((max(colours) + 1, 3), np.uint8)
    for index, colour in colours.items():
        table[index] = colour[:3]
    return table


def _nodata(path: Path, dataset: DatasetReader) -> tuple[float | None, float | None]:
    """Value to put where the mask leaves pixels out, or None, and the nodata value."""
    from rasterio.enums import MaskFlags

    indexes, has_palette = _kept(dataset), _palette(dataset) is not None
    values = {dataset.nodatavals[k - 1] for k in indexes}
    stored = np.result_type(*(np.dtype(dataset.dtypes[k - 1]) for k in indexes))
    dtype = native_dtype(np.dtype(np.uint8) if has_palette else stored, path)
    flags = {flag for k in indexes for flag in dataset.mask_flag_enums[k - 1]}
    has_mask = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags
    if has_mask or (len(values) > 1 and not all(v is None or math.isnan(v) for v in values)):
        blank = blank_value(dtype, None if len(values) > 1 or has_palette else values.pop())
        return blank, nodata_of(blank)
    return None, None if has_palette else fitting_nodata(values.pop(), dtype)


def _placement(dataset: DatasetReader) -> Placement:
    """Pixel size in metres or degrees, CRS and affine."""
    crs, transform = dataset.crs, dataset.transform
    if transform.is_identity:
        return Placement(crs=_name_of(crs) if crs else None)
    affine = (transform.a, transform.b, transform.c, transform.d, transform.e, transform.f)
    if not crs:
        return Placement(affine=affine)
    size = (math.hypot(transform.b, transform.e), math.hypot(transform.a, transform.d))
    if crs.is_geographic:
        return Placement(size, "degree", _name_of(crs), affine)
    metres = crs.linear_units_factor[1] if crs.is_projected else math.nan
    if not math.isfinite(metres):
        return Placement(crs=_name_of(crs), affine=affine)
    return Placement((size[0] * metres, size[1] * metres), "m", _name_of(crs), affine)


def _name_of(crs: CRS) -> str:
    """``EPSG:n``, or WKT for a system that has no number."""
    code = crs.to_epsg()
    return f"EPSG:{code}" if code is not None else str(crs.to_wkt())


def _names(dataset: DatasetReader, level: GdalLevel) -> tuple[str, ...]:
    """Descriptions of the bands; their colours or positions for want of them."""
    from rasterio.enums import ColorInterp

    colours = (ColorInterp.red, ColorInterp.green, ColorInterp.blue)
    rgb = level.palette is not None or (
        tuple(dataset.colorinterp[k - 1] for k in level.indexes)[:3] == colours
    )
    count = level.shape[2]
    terrain = count == 1 and level.dtype.kind == "f"
    names = ("elevation",) if terrain else default_bands(count, rgb)
    if level.palette is not None:
        return names
    given = [dataset.descriptions[k - 1] or "" for k in level.indexes]
    return tuple(
        name if re.fullmatch(MEANINGLESS, described) else described
        for name, described in zip(names, given, strict=True)
    )


def _notes(path: Path, dataset: DatasetReader) -> tuple[str, ...]:
    """That a scale or an offset is left alone."""
    if set(dataset.scales) <= {1.0} and set(dataset.offsets) <= {0.0}:
        return ()
    return (f"{path.name} has a scale or an offset; its values are shown as stored.",)
