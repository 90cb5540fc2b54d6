"""Tiny files of every family, of which the tests damage the first bytes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import rasterio
import tifffile
import zarr
from PIL import Image
from rasterio.transform import Affine

from tests.images.slides import write_dicom, write_mrxs

RGB = np.random.default_rng(3).integers(0, 255, (70, 90, 3), dtype=np.uint8)
PLACE = Affine(2.0, 0.0, 400000.0, 0.0, -2.0, 5000000.0)


def tiled(path: Path) -> None:
    with tifffile.TiffWriter(path) as writer:
        for step in (1, 2):
            options = {"tile": (32, 32), "compression": "jpeg", "subfiletype": int(step > 1)}
            writer.write(RGB[::step, ::step], photometric="rgb", metadata=None, **options)


def strips(path: Path) -> None:
    tifffile.imwrite(path, RGB, photometric="rgb", rowsperstrip=16, compression="lzw")


def uncompressed(path: Path) -> None:
    tifffile.imwrite(path, RGB, photometric="rgb", resolution=(20000, 20000))


def bigtiff(path: Path) -> None:
    tifffile.imwrite(path, RGB, photometric="rgb", bigtiff=True, tile=(32, 32), compression="zlib")


def ome_tiff(path: Path) -> None:
    metadata = {"axes": "CYX", "PhysicalSizeX": 0.25, "PhysicalSizeY": 0.25}
    pixels = np.moveaxis(RGB, 2, 0).astype(np.uint16)
    with tifffile.TiffWriter(path, ome=True) as writer:
        options = {"tile": (32, 32), "photometric": "minisblack"}
        writer.write(pixels, subifds=1, metadata=metadata, **options)
        writer.write(pixels[:, ::2, ::2], subfiletype=1, **options)


def geotiff(path: Path) -> None:
    raster(path, "GTiff", compress="deflate", nodata=-9999)


def cog(path: Path) -> None:
    raster(path, "COG", compress="zstd", blocksize=128)


def picture(path: Path) -> None:
    Image.fromarray(RGB).save(path)


def jpeg_2000(path: Path) -> None:
    path.write_bytes(imagecodecs.jpeg2k_encode(RGB, codecformat="jp2", level=40))


def ome_zarr(path: Path) -> None:
    group = zarr.create_group(path, zarr_format=3)
    array = group.create_array("0", shape=(70, 90), chunks=(32, 32), dtype="u1")
    array[...] = RGB[..., 0]
    axes = [{"name": name, "type": "space", "unit": "micrometer"} for name in "yx"]
    scale = [{"type": "scale", "scale": [0.5, 0.5]}]
    datasets = [{"path": "0", "coordinateTransformations": scale}]
    multiscales = [{"axes": axes, "datasets": datasets}]
    group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}


def dicom(path: Path) -> None:
    write_dicom(path, RGB, tile=32)


def mrxs(path: Path) -> None:
    options = {"left_out": (0, 1), "background": (255, 255, 255)}
    write_mrxs(path, RGB[:64, :64], tile=32, **options)


def raster(path: Path, driver: str, **options: object) -> None:
    options |= {"crs": "EPSG:32648", "transform": PLACE, "count": 1, "dtype": "float32"}
    with rasterio.open(path, "w", driver=driver, height=70, width=90, **options) as dataset:
        dataset.write(RGB[None, ..., 0].astype(np.float32))


def virtual(path: Path) -> None:
    raster(path.with_suffix(".tif"), "GTiff")
    path.write_text(
        '<VRTDataset rasterXSize="90" rasterYSize="70"><VRTRasterBand dataType="Float32" band="1">'
        f'<SimpleSource><SourceFilename relativeToVRT="1">{path.stem}.tif</SourceFilename>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


FAMILIES: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "tiled TIFF": ("a.tif", tiled, ""),
    "TIFF in strips": ("a.tif", strips, ""),
    "uncompressed TIFF": ("a.tif", uncompressed, ""),
    "BigTIFF": ("a.btf", bigtiff, ""),
    "OME-TIFF": ("a.ome.tif", ome_tiff, ""),
    "GeoTIFF": ("a.tif", geotiff, ""),
    "COG": ("a.tif", cog, ""),
    "PNG": ("a.png", picture, ""),
    "JPEG": ("a.jpg", picture, ""),
    "BMP": ("a.bmp", picture, ""),
    "JPEG 2000": ("a.jp2", jpeg_2000, ""),
    "OME-Zarr group": ("a.zarr", ome_zarr, "a.zarr/zarr.json"),
    "OME-Zarr array": ("a.zarr", ome_zarr, "a.zarr/0/zarr.json"),
    "DICOM": ("a.dcm", dicom, ""),
    "MRXS": ("a.mrxs", mrxs, "a/Slidedat.ini"),
    "MRXS index": ("a.mrxs", mrxs, "a/Index.dat"),
    "VRT": ("a.vrt", virtual, ""),
    "ESRI ASCII grid": ("a.asc", lambda path: raster(path, "AAIGrid"), ""),
    "ERDAS": ("a.img", lambda path: raster(path, "HFA"), ""),
    "ENVI": ("a.dat", lambda path: raster(path, "ENVI"), "a.hdr"),
}
"""For each: the file that is opened, what writes it, and which file is damaged if another."""
