"""Tiny folders in the layouts of the datasets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from PIL import Image
from pyogrio import raw

from napari_relay.geometry import Window
from napari_relay.training import LabelSource

UTM = "EPSG:32648"
TOP_LEFT = (400_000.0, 1_500_000.0)


def save(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """A PNG or JPEG file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def photo(path: Path, rows: int = 20, cols: int = 30) -> Path:
    """An RGB image of noise."""
    pixels = np.random.default_rng(0).integers(0, 256, (rows, cols, 3), dtype=np.uint8)
    return save(path, pixels)


def gray(values: Sequence[int], rows: int = 20, cols: int = 30) -> NDArray[np.uint8]:
    """A mask of ``rows × cols`` whose first row begins with some values, all else 0."""
    mask = np.zeros((rows, cols), dtype=np.uint8)
    mask[0, : len(values)] = values
    return mask


def first_row(labels: LabelSource, count: int) -> list[int]:
    return labels.read(Window(0, 0, 1, count))[0].tolist()


def raster(
    path: Path, pixels: NDArray[np.generic], side: float = 0.5, crs: str | None = UTM
) -> Path:
    """A GeoTIFF of ``(y, x, band)`` at :data:`TOP_LEFT`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, cols, bands = pixels.shape
    place = rasterio.Affine(side, 0, TOP_LEFT[0], 0, -side, TOP_LEFT[1])
    about = {"driver": "GTiff", "dtype": pixels.dtype, "crs": crs, "transform": place}
    about |= {"photometric": "RGB"} if bands == 3 else {}
    with rasterio.open(path, "w", width=cols, height=rows, count=bands, **about) as file:
        file.write(np.moveaxis(pixels, 2, 0))
    return path


def vectors(
    path: Path,
    shapes: Sequence[shapely.Geometry],
    columns: Mapping[str, Sequence[str]],
    crs: str | None = UTM,
    layer: str = "features",
) -> Path:
    """A GeoPackage of polygons."""
    path.parent.mkdir(parents=True, exist_ok=True)
    raw.write(
        path,
        shapely.to_wkb(np.array(shapes, dtype=object)),
        [np.array(values, dtype=object) for values in columns.values()],
        list(columns),
        layer=layer,
        driver="GPKG",
        geometry_type="Unknown",
        crs=crs,
    )
    return path


def box(row: float, col: float, height: float, width: float, side: float = 0.5) -> shapely.Geometry:
    """The rectangle over some pixels of a :func:`raster`."""
    left, top = TOP_LEFT[0] + col * side, TOP_LEFT[1] - row * side
    return shapely.box(left, top - height * side, left + width * side, top)


def cityscapes(root: Path, values: Sequence[int] = (7, 8, 11)) -> Path:
    """One image of each split; the test image has no annotation."""
    names = {"train": "aachen_000000_000019", "val": "munster_000001_000019"}
    for split, name in {**names, "test": "bonn_000002_000019"}.items():
        city = name.partition("_")[0]
        photo(root / "leftImg8bit" / split / city / f"{name}_leftImg8bit.png")
        if split != "test":
            mask = root / "gtFine" / split / city / f"{name}_gtFine_labelIds.png"
            save(mask, gray(values))
    return root


def urur(root: Path, colors: Sequence[tuple[int, int, int]] = ((230, 230, 230),)) -> Path:
    """One TIFF image of each split, with a palette label whose first row begins with colours."""
    for split in ("train", "val", "test"):
        (root / split / "image").mkdir(parents=True)
        raster(root / split / "image" / "00000.tif", np.zeros((20, 30, 3), np.uint8), crs=None)
        label = Image.fromarray(gray(range(len(colors))))
        label = label.convert("P")
        label.putpalette([value for color in colors for value in color])
        (root / split / "label").mkdir()
        label.save(root / split / "label" / "00000.png")
    return root


def gleason(
    root: Path, name: str = "slide001_core020", experts: Mapping[int, Sequence[int]] | None = None
) -> Path:
    """One core, with the first rows of its maps by expert."""
    photo(root / "Train Imgs" / f"{name}.jpg")
    for expert, values in (experts or {}).items():
        save(root / f"Maps{expert}_T" / f"{name}_classimg_nonconvex.png", gray(values))
    return root


def plain(root: Path, names: Sequence[str] = ("a", "b", "c"), **about: object) -> Path:
    """A plain folder; the first row of each mask begins with 0, 1, 2, 255."""
    for name in names:
        photo(root / "images" / f"{name}.png")
        save(root / "masks" / f"{name}.png", gray((0, 1, 2, 255)))
    classes = {"classes": [{"name": "soil"}, {"name": "wall"}], **about}
    (root / "classes.json").write_text(json.dumps(classes))
    return root


def archaeoscape(
    root: Path,
    features: Sequence[tuple[str, shapely.Geometry]],
    parcels: Sequence[str] = ("01_olinda",),
    crs: str | None = UTM,
    raster_crs: str | None = UTM,
    rows: int = 40,
    cols: int = 60,
) -> Path:
    """Parcels that all cover the same place but for its 4 right columns."""
    area = [box(0, 0, rows, cols - 4)] * len(parcels)
    kinds, shapes = zip(*features, strict=True)
    vectors(root / "data/parcels.gpkg", moved(area, crs), {"index": parcels}, crs, "parcels")
    vectors(root / "data/features.gpkg", moved(shapes, crs), {"type": kinds}, crs)
    rng = np.random.default_rng(0)
    for name in parcels:
        rgb = rng.integers(0, 256, (rows, cols, 3), dtype=np.uint8)
        raster(root / f"rasters/rgb/{name}.tif", rgb, crs=raster_crs)
        dtm = rng.random((rows, cols, 1)).astype(np.float32)
        raster(root / f"rasters/dtm/{name}.tif", dtm, crs=raster_crs)
    return root


def moved(shapes: Sequence[shapely.Geometry], crs: str | None) -> list[shapely.Geometry]:
    """Shapes of :data:`UTM` in another system, for files in that system."""
    if crs in (UTM, None):
        return list(shapes)
    from rasterio.warp import transform_geom

    dense = [shapely.segmentize(shape, 1.0) for shape in shapes]
    return [shapely.geometry.shape(transform_geom(UTM, crs, s.__geo_interface__)) for s in dense]
