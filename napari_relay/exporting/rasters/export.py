"""Predictions and labels as rasters on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from napari_relay.exporting.placement import Placement
from napari_relay.exporting.progress import ExportProgress, completed
from napari_relay.exporting.rasters.content import RasterContent, array_content, store_content
from napari_relay.exporting.rasters.description import RasterDescription
from napari_relay.exporting.rasters.gdal_metadata import sidecar_of, write_sidecar
from napari_relay.exporting.rasters.level import PixelSource
from napari_relay.exporting.rasters.ome_zarr import write_ome_zarr
from napari_relay.exporting.rasters.options import RasterOptions
from napari_relay.exporting.rasters.png import check_png, write_png
from napari_relay.exporting.rasters.tiff import is_ome, write_tiff
from napari_relay.exporting.whole import whole_file, whole_folder
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference.store import PredictionStore
from relay_tokens import ClassSchema, UserError

TIFF_SUFFIXES = (".tif", ".tiff")
PNG_SUFFIX = ".png"
ZARR_SUFFIX = ".zarr"

_Writer = Callable[[Path, RasterContent], Iterator[tuple[int, int]]]


def export_raster(
    store: PredictionStore,
    image: PyramidImage,
    path: str | Path,
    options: RasterOptions | None = None,
) -> Iterator[ExportProgress]:
    """Write a prediction as one raster, tile by tile, whole or not at all.

    ``.tif`` and ``.tiff`` are Cloud-Optimized GeoTIFF (a plain pyramidal TIFF
    without an affine) with nodata, names of bands and classes, and, of classes,
    a colour table and a small file ``.aux.xml`` beside it, from which QGIS
    takes the names for its legend; ``.ome.tif`` is OME-TIFF, ``.ome.zarr``
    OME-Zarr 0.5, and ``.png`` for up to 8192 px a side. Coarser levels have
    every second pixel of the finer one.

    Parameters
    ----------
    store
        What was predicted; other tiles have no data.
    image
        What it was predicted of; its pixel size, CRS and affine go into the file.
    path
        The file to write; what was there is replaced once the new one is whole,
        but a folder (``.ome.zarr``) never is.
    options
        Which quantity, and where.

    Yields
    ------
    ExportProgress
        After each part. When the iteration is given up before the last one,
        nothing is left behind.

    Raises
    ------
    UserError
        When the store does not keep what is wanted, the suffix is another, or
        the file cannot be written.
    """
    return _export(store_content(store, image, options or RasterOptions()), Path(path))


def export_mask(store: PredictionStore, image: PyramidImage, path: str | Path) -> Path:
    """Write the predicted classes of an image at once: see :func:`export_raster`."""
    return completed(export_raster(store, image, path))


def export_labels(
    labels: PixelSource | Sequence[PixelSource],
    path: str | Path,
    classes: ClassSchema | None = None,
    placement: Placement | None = None,
    shape: tuple[int, int] | None = None,
) -> Path:
    """Write labels as one raster, tile by tile, whole or not at all.

    Parameters
    ----------
    labels
        ``(rows, cols)`` of whole numbers, 0 to 254, and 255: no class; or several
        such arrays, each with every second pixel of the one before.
    path
        See :func:`export_raster`.
    classes
        Names and colours.
    placement
        Where the labels lie.
    shape
        Rows and columns that are written, where the array is larger.

    Returns
    -------
    Path
        The written file.

    Raises
    ------
    UserError
        When a label is no class, or the file cannot be written; nothing is left
        behind then.
    """
    levels = list(labels) if isinstance(labels, Sequence) else [labels]
    rows, cols = shape or levels[0].shape
    described = RasterDescription("classes", ("classes",), classes, placement or Placement())
    return completed(export_array(levels, path, described, (rows, cols)))


def export_array(
    levels: Sequence[PixelSource],
    path: str | Path,
    description: RasterDescription,
    shape: tuple[int, int],
) -> Iterator[ExportProgress]:
    """Write arrays as one raster, as :func:`export_raster` does.

    Parameters
    ----------
    levels
        ``(rows, cols)``, or ``(band, rows, cols)``, of whole numbers from 0 to 255;
        each with every second pixel of the one before.
    description
        What they mean, and where they lie.
    shape
        Rows and columns that are written, where the arrays are larger.
    """
    path = Path(path)
    name = path.stem.removesuffix(".ome")
    return _export(array_content(levels, shape, description, name), path)


def _export(content: RasterContent, path: Path) -> Iterator[ExportProgress]:
    write, whole = _format(path, content)
    with whole(path) as scratch:
        total = 1
        yield ExportProgress(path, 0, total)
        for done, parts in write(scratch, content):
            total = parts + 1
            yield ExportProgress(path, done, total)
        _write_sidecar(path, content)
    yield ExportProgress(path, total, total)


def _format(
    path: Path, content: RasterContent
) -> tuple[_Writer, Callable[[Path], AbstractContextManager[Path]]]:
    suffix = path.suffix.lower()
    if suffix in TIFF_SUFFIXES:
        return write_tiff, whole_file
    if suffix == ZARR_SUFFIX:
        return write_ome_zarr, whole_folder
    if suffix == PNG_SUFFIX:
        check_png(path, content)
        return write_png, whole_file
    raise UserError(
        f"{path} cannot be written as {path.suffix or 'a file without a suffix'}; "
        "choose a name that ends in .tif, .ome.tif, .ome.zarr or .png."
    )


def _write_sidecar(path: Path, content: RasterContent) -> None:
    """Put what GDAL reads beside a mask; away with what is of another raster."""
    if path.suffix.lower() not in TIFF_SUFFIXES:
        return
    sidecar, classes = sidecar_of(path), content.description.classes
    if classes is None or not content.description.is_mask or is_ome(path):
        sidecar.unlink(missing_ok=True)
        return
    with whole_file(sidecar) as scratch:
        write_sidecar(scratch, classes)
