from __future__ import annotations

import gc
import importlib.util
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, Resampling
from rasterio.transform import Affine

from napari_relay.images import open_image
from napari_relay.images.gdal_raster import open_gdal_raster
from napari_relay.images.source import ImageSource
from relay_tokens import UserError

PLACE = Affine(2.0, 0.0, 400000.0, 0.0, -2.0, 5000000.0)


def write(path: Path, pixels: np.ndarray, driver: str, *, place=PLACE, crs="EPSG:32648", **options):
    """Write ``(band, y, x)`` pixels by GDAL; drivers that only copy get them from memory."""
    count, rows, cols = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver=driver,
        count=count,
        height=rows,
        width=cols,
        dtype=pixels.dtype,
        transform=place,
        crs=crs,
        **options,
    ) as dataset:
        dataset.write(pixels)
    return path


def test_an_esri_ascii_grid_is_what_numpy_loads(tmp_path, rng):
    path = tmp_path / "dtm.asc"
    write(path, rng.random((1, 20, 30), dtype=np.float32), "AAIGrid", nodata=-9999.0)
    image = open_image(path)
    assert (image.bands, image.nodata) == (("elevation",), -9999.0)
    assert image.affine == (2.0, 0.0, 400000.0, 0.0, -2.0, 5000000.0)
    expected = np.loadtxt(path, skiprows=6, dtype=np.float32)
    np.testing.assert_array_equal(image.read(image.window).pixels[..., 0], expected)


@pytest.mark.parametrize(
    ("suffix", "driver", "options", "order"),
    [
        (".dat", "ENVI", {"interleave": "bsq"}, (1, 2, 0)),
        (".bip", "ENVI", {"interleave": "bip"}, (0, 1, 2)),
        (".bil", "EHdr", {}, (0, 2, 1)),
    ],
)
def test_raw_rasters_are_the_bytes_in_the_file(tmp_path, rng, suffix, driver, options, order):
    path = tmp_path / f"raw{suffix}"
    write(path, rng.integers(0, 9999, (3, 20, 30), dtype=np.uint16), driver, **options)
    stored = {(1, 2, 0): (3, 20, 30), (0, 1, 2): (20, 30, 3), (0, 2, 1): (20, 3, 30)}[order]
    expected = np.fromfile(path, np.uint16).reshape(stored).transpose(order)
    image = open_image(path)
    assert image.bands == ("band 1", "band 2", "band 3")
    assert (image.crs, image.pixel_size, image.unit) == ("EPSG:32648", (2.0, 2.0), "m")
    np.testing.assert_array_equal(image.read(image.window).pixels, expected)


def test_an_srtm_tile_is_big_endian_heights_in_degrees(tmp_path, rng):
    path = tmp_path / "N46E014.hgt"
    side = 1 / 1200
    place = Affine(side, 0.0, 14 - side / 2, 0.0, -side, 47 + side / 2)
    heights = rng.integers(-50, 3000, (1, 1201, 1201), dtype=np.int16)
    write(path, heights, "SRTMHGT", place=place, crs="EPSG:4326")
    image = open_image(path)
    assert (image.crs, image.unit, image.nodata) == ("EPSG:4326", "degree", -32768)
    assert image.pixel_size == pytest.approx((side, side))
    expected = np.fromfile(path, ">i2").reshape(1201, 1201)
    np.testing.assert_array_equal(image.read(image.window).pixels[..., 0], expected)


@pytest.mark.parametrize("suffix", [".jp2", ".j2k"])
def test_jpeg_2000_is_what_imagecodecs_decodes(tmp_path, rng, suffix):
    path = tmp_path / f"ortho{suffix}"
    pixels = rng.integers(0, 255, (200, 300, 3), dtype=np.uint8)
    codec = "jp2" if suffix == ".jp2" else "j2k"
    path.write_bytes(imagecodecs.jpeg2k_encode(pixels, codecformat=codec, level=40))
    image = open_image(path)
    expected = imagecodecs.jpeg2k_decode(path.read_bytes())
    np.testing.assert_array_equal(image.read(image.window).pixels, expected)
    assert image.pixel_size is None
    assert (image.bands[0] == "red") == (suffix == ".jp2")  # a bare codestream names no colours


def test_resolutions_of_jpeg_2000_are_its_levels(tmp_path, rng, pyramids):
    path = tmp_path / "ortho.jp2"
    pixels = rng.integers(0, 255, (3, 1100, 1300), dtype=np.uint8)
    write(path, pixels, "JP2OpenJPEG", QUALITY="100", REVERSIBLE="YES")
    image = open_image(path)
    assert image.factors[:2] == (1.0, 2.0)
    assert not pyramids.exists()
    np.testing.assert_array_equal(image.levels[0].compute(), np.moveaxis(pixels, 0, 2))
    with rasterio.open(path, overview_level=0) as overview:
        np.testing.assert_array_equal(image.levels[1], np.moveaxis(overview.read(), 0, 2))


@pytest.mark.parametrize(
    ("suffix", "driver"),
    [
        (".img", "HFA"),
        (".sdat", "SAGA"),
        (".grd", "GSBG"),
        (".pix", "PCIDSK"),
        (".ers", "ERS"),
        (".rst", "RST"),
        (".flt", "EHdr"),
    ],
)
def test_terrain_in_a_format_of_gis_programs(tmp_path, rng, suffix, driver):
    path = tmp_path / f"dtm{suffix}"
    pixels = rng.random((1, 70, 90), dtype=np.float32)
    write(path, pixels, driver)
    image = open_image(path)
    assert image.bands == ("elevation",)
    assert image.affine == pytest.approx((2.0, 0.0, 400000.0, 0.0, -2.0, 5000000.0))
    np.testing.assert_array_equal(image.read(image.window).pixels[..., 0], pixels[0])


@pytest.mark.parametrize(
    ("suffix", "driver", "options"),
    [
        (".gpkg", "GPKG", {"TILE_FORMAT": "PNG"}),
        (".ntf", "NITF", {"ICORDS": "G"}),
        (".webp", "WEBP", {"LOSSLESS": "YES"}),
    ],
)
def test_pictures_in_other_containers(tmp_path, rng, suffix, driver, options):
    path = tmp_path / f"ortho{suffix}"
    pixels = rng.integers(0, 255, (3, 256, 256), dtype=np.uint8)
    place = Affine(0.001, 0.0, 14.0, 0.0, -0.001, 46.0)
    write(path, pixels, driver, place=place, crs="EPSG:4326", **options)
    image = open_image(path)
    np.testing.assert_array_equal(image.read(image.window).pixels, np.moveaxis(pixels, 0, 2))
    assert len(image.bands) == 3


def mosaic(folder: Path, pixels: np.ndarray) -> Path:
    """A VRT of a left and a right GeoTIFF."""
    half = pixels.shape[2] // 2
    rows = pixels.shape[1]
    sources = ""
    for name, x0 in (("left", 0), ("right", half)):
        write(folder / f"{name}.tif", pixels[:, :, x0 : x0 + half], "GTiff")
        sources += (
            f'<SimpleSource><SourceFilename relativeToVRT="1">{name}.tif</SourceFilename>'
            f'<SrcRect xOff="0" yOff="0" xSize="{half}" ySize="{rows}"/>'
            f'<DstRect xOff="{x0}" yOff="0" xSize="{half}" ySize="{rows}"/></SimpleSource>'
        )
    path = folder / "mosaic.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{2 * half}" rasterYSize="{rows}"><SRS>EPSG:32648</SRS>'
        "<GeoTransform>400000, 2, 0, 5000000, 0, -2</GeoTransform>"
        '<VRTRasterBand dataType="Int16" band="1"><Description>height</Description>'
        f"<NoDataValue>-1</NoDataValue>{sources}</VRTRasterBand></VRTDataset>"
    )
    return path


def test_a_vrt_is_its_parts_side_by_side(tmp_path, rng):
    pixels = rng.integers(-1, 3000, (1, 90, 140), dtype=np.int16)
    image = open_image(mosaic(tmp_path, pixels))
    assert (image.bands, image.nodata, image.crs) == (("height",), -1, "EPSG:32648")
    np.testing.assert_array_equal(image.read(image.window).pixels[..., 0], pixels[0])


def test_a_vrt_without_one_of_its_parts_has_no_data_there(tmp_path, rng):
    pixels = rng.integers(0, 3000, (1, 300, 1000), dtype=np.int16)
    path = mosaic(tmp_path, pixels)
    (tmp_path / "right.tif").unlink()
    level = open_gdal_raster(path).arrays[0]
    np.testing.assert_array_equal(level[0:90, 0:50, 0:1][..., 0], pixels[0, :90, :50])
    with pytest.raises(UserError, match=r"mosaic\.vrt is damaged around row 0, column 600"):
        level[0:50, 600:700, 0:1]


def test_overviews_are_levels(tmp_path, rng, pyramids):
    path = tmp_path / "dtm.img"
    write(path, rng.random((1, 1200, 1300), dtype=np.float32), "HFA")
    with rasterio.open(path, "r+") as dataset:
        dataset.build_overviews([2, 4], Resampling.average)
    image = open_image(path)
    assert image.factors == (1.0, 2.0, 4.0)
    assert not pyramids.exists()
    for level, number in ((1, 0), (2, 1)):
        with rasterio.open(path, overview_level=number) as overview:
            np.testing.assert_array_equal(image.levels[level][..., 0], overview.read(1))


def test_a_mask_beside_the_pixels_is_no_data(tmp_path, rng):
    path = tmp_path / "ortho.img"
    write(path, rng.integers(1, 255, (3, 60, 70), dtype=np.uint8), "HFA")
    shown = rng.random((60, 70)) > 0.4
    with rasterio.open(path, "r+") as dataset:
        dataset.write_mask(shown)
    image = open_image(path)
    assert image.nodata == 0
    np.testing.assert_array_equal(image.read(image.window).valid, shown)


def test_bands_with_nodata_of_their_own_have_no_data_where_all_have_none(tmp_path):
    pixels = np.array([[[1, 1, 5]], [[2, 7, 2]]], np.float32)
    write(tmp_path / "a.tif", pixels, "GTiff")
    bands = "".join(
        f'<VRTRasterBand dataType="Float32" band="{k}"><NoDataValue>{k}</NoDataValue>'
        f'<SimpleSource><SourceFilename relativeToVRT="1">a.tif</SourceFilename>'
        f"<SourceBand>{k}</SourceBand></SimpleSource></VRTRasterBand>"
        for k in (1, 2)
    )
    (tmp_path / "a.vrt").write_text(
        f'<VRTDataset rasterXSize="3" rasterYSize="1">{bands}</VRTDataset>'
    )
    image = open_image(tmp_path / "a.vrt")
    assert image.read(image.window).valid.tolist() == [[False, True, True]]


def test_colour_indices_and_opacity_are_resolved(tmp_path, rng):
    indices = rng.integers(0, 3, (1, 20, 30), dtype=np.uint8)
    colours = {0: (1, 2, 3, 255), 1: (40, 50, 60, 255), 2: (7, 8, 9, 255)}
    with rasterio.open(write(tmp_path / "p.img", indices, "HFA"), "r+") as dataset:
        dataset.write_colormap(1, colours)
    image = open_image(tmp_path / "p.img")
    table = np.array([colours[k][:3] for k in range(3)], np.uint8)
    np.testing.assert_array_equal(image.read(image.window).pixels, table[indices[0]])
    rgba = rng.integers(0, 255, (4, 20, 30), dtype=np.uint8)
    with rasterio.open(write(tmp_path / "a.pix", rgba, "PCIDSK"), "r+") as dataset:
        dataset.colorinterp = (*(ColorInterp(k) for k in (3, 4, 5)), ColorInterp.alpha)
    image = open_image(tmp_path / "a.pix")
    np.testing.assert_array_equal(image.read(image.window).pixels, np.moveaxis(rgba[:3], 0, 2))


@pytest.mark.parametrize(
    ("crs", "unit", "size", "name"),
    [
        ("EPSG:2229", "m", 2 * 1200 / 3937, "EPSG:2229"),
        ("EPSG:4326", "degree", 2.0, "EPSG:4326"),
        ("+proj=utm +zone=33 +ellps=bessel +towgs84=1,2,3", "m", 2.0, "PROJCS"),
        (None, None, None, None),
    ],
)
def test_units_and_systems(tmp_path, crs, unit, size, name):
    path = tmp_path / "dtm.img"
    place = Affine(2.0, 0.0, 10.0, 0.0, -2.0, 50.0)
    write(path, np.zeros((1, 9, 9), np.float32), "HFA", crs=crs, place=place)
    image = open_image(path)
    assert image.unit == unit
    assert image.pixel_size == (None if size is None else pytest.approx((size, size)))
    assert image.crs == name or str(image.crs).startswith(str(name))
    assert image.affine == tuple(place)[:6]


def test_a_scale_is_left_alone_and_told_of(tmp_path):
    path = tmp_path / "a.vrt"
    write(tmp_path / "a.tif", np.full((1, 3, 3), 7, np.int16), "GTiff")
    path.write_text(
        '<VRTDataset rasterXSize="3" rasterYSize="3"><VRTRasterBand dataType="Int16" band="1">'
        "<Scale>0.1</Scale><SimpleSource>"
        '<SourceFilename relativeToVRT="1">a.tif</SourceFilename></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )
    image = open_image(path)
    assert (image.read(image.window).pixels == 7).all()
    assert image.notes == ("a.vrt has a scale or an offset; its values are shown as stored.",)


def test_threads_read_the_same_as_one_and_all_handles_are_closed(tmp_path, rng):
    pixels = rng.random((1, 300, 400), dtype=np.float32)
    path = write(tmp_path / "dtm.img", pixels, "HFA")
    source = open_gdal_raster(path)
    together = threading.Barrier(4)

    def read(source: ImageSource, row: int) -> np.ndarray:
        together.wait()
        return source.arrays[0][row : row + 60, 5:395, 0:1]

    rows = range(0, 240, 10)
    with ThreadPoolExecutor(4) as pool:
        for row, found in zip(rows, pool.map(read, repeat(source), rows), strict=True):
            np.testing.assert_array_equal(found[..., 0], pixels[0, row : row + 60, 5:395])
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("open files are only listed on Linux")
    del source
    gc.collect()
    assert not any(link.exists() and link.resolve() == path for link in descriptors.iterdir())


def test_without_rasterio_the_sentence_names_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "a.vrt").write_text("<VRTDataset/>")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'a\.vrt .* pip install "napari-relay\[geo\]"'):
        open_image(tmp_path / "a.vrt")


def test_a_container_of_several_rasters_is_named(tmp_path):
    path = tmp_path / "two.gpkg"
    pixels = np.zeros((3, 256, 256), np.uint8)
    write(path, pixels, "GPKG", RASTER_TABLE="one", crs="EPSG:3857")
    write(path, pixels, "GPKG", RASTER_TABLE="two", crs="EPSG:3857", APPEND_SUBDATASET="YES")
    with pytest.raises(UserError, match=r"two\.gpkg holds 2 rasters; export one"):
        open_image(path)


@pytest.mark.parametrize("suffix", [".vrt", ".jp2", ".img", ".asc", ".bil", ".gpkg", ".ntf"])
def test_a_text_file_with_the_name_of_a_raster_is_named(tmp_path, suffix):
    path = tmp_path / f"text{suffix}"
    path.write_text("a few lines of text\n" * 9)
    with pytest.raises(UserError, match=rf"text\{suffix} is not a raster that can be read"):
        open_image(path)


def test_a_vrt_that_is_no_text_is_named(tmp_path):
    path = tmp_path / "odd.vrt"
    path.write_bytes("<VRTDataset>Höhe</VRTDataset>".encode("latin-1"))
    with pytest.raises(UserError, match=r"odd\.vrt is not text in UTF-8"):
        open_image(path)
