from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from rasterio.transform import Affine
from rio_cogeo.cogeo import cog_translate, cog_validate
from rio_cogeo.profiles import cog_profiles

from napari_relay.images import open_image
from napari_relay.images.tiff import NotUnderstoodError, open_tiff

# rio-cogeo multiplies affines in the old way.
OLD_WAY = pytest.mark.filterwarnings("ignore:Use `@` matmul:PendingDeprecationWarning")
PLACE = Affine(0.5, 0.0, 400000.0, 0.0, -0.5, 5000000.0)


def write(path: Path, pixels: np.ndarray, driver: str, **options: object) -> Path:
    count, rows, cols = pixels.shape
    options |= {"count": count, "dtype": pixels.dtype, "transform": PLACE, "crs": "EPSG:3794"}
    with rasterio.open(path, "w", driver=driver, height=rows, width=cols, **options) as dataset:
        dataset.write(pixels)
    return path


@pytest.mark.parametrize("compress", ["deflate", "lzw", "zstd", "webp", "lerc", "none"])
def test_pixels_and_levels_of_a_cog_are_those_of_gdal(tmp_path, rng, pyramids, compress):
    pixels = rng.integers(0, 255, (3, 400, 500), dtype=np.uint8)
    exact = {"quality": 100} if compress == "webp" else {}
    path = write(tmp_path / "a.tif", pixels, "COG", compress=compress, blocksize=128, **exact)
    image = open_image(path)
    assert image.factors == (1.0, 2.0, 4.0)
    assert (image.crs, image.pixel_size, image.unit) == ("EPSG:3794", (0.5, 0.5), "m")
    assert image.affine == tuple(PLACE)[:6]
    assert not pyramids.exists()
    for number, level in enumerate(image.levels):
        options = {"overview_level": number - 1} if number else {}
        with rasterio.open(path, **options) as dataset:
            np.testing.assert_array_equal(level, np.moveaxis(dataset.read(), 0, 2))


@OLD_WAY
def test_a_jpeg_cog_with_a_mask_has_no_data_outside_it(tmp_path, rng):
    plain = write(tmp_path / "plain.tif", np.full((3, 700, 800), 90, np.uint8), "GTiff")
    shown = np.zeros((700, 800), bool)
    shown[100:613, 50:777] = True
    with rasterio.open(plain, "r+") as dataset:
        dataset.write_mask(shown)
    path = tmp_path / "cog.tif"
    profile = cog_profiles.get("jpeg") | {"blockxsize": 256, "blockysize": 256}
    cog_translate(plain, path, profile, add_mask=True, quiet=True)
    assert cog_validate(path)[0]
    image = open_image(path)
    assert image.nodata == 0
    assert image.bands == ("red", "green", "blue")
    for number, level in enumerate(image.levels):
        options = {"overview_level": number - 1} if number else {}
        with rasterio.open(path, **options) as dataset:
            mask = dataset.dataset_mask() != 0
            expected = np.where(mask[..., None], np.moveaxis(dataset.read(), 0, 2), 0)
        np.testing.assert_array_equal(level, expected)
    np.testing.assert_array_equal(image.read(image.window).valid, shown)


@pytest.mark.parametrize(
    ("dtype", "nodata", "blank"),
    [("float32", None, None), ("int16", None, -32768.0), ("int16", -1, -1.0)],
)
def test_what_a_mask_leaves_out_of_terrain(tmp_path, rng, dtype, nodata, blank):
    pixels = rng.integers(5, 3000, (1, 60, 70)).astype(dtype)
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = write(tmp_path / "a.tif", pixels, "GTiff", nodata=nodata)
        shown = rng.random((60, 70)) > 0.3
        with rasterio.open(path, "r+") as dataset:
            dataset.write_mask(shown)
    image = open_image(path)
    patch = image.read(image.window)
    assert image.nodata == blank
    np.testing.assert_array_equal(patch.valid, shown)
    np.testing.assert_array_equal(patch.pixels[shown, 0], pixels[0][shown])


@OLD_WAY
def test_nodata_and_names_of_a_cog(tmp_path, rng):
    pixels = rng.random((1, 600, 700), dtype=np.float32)
    pixels[0, 100:120, 30:50] = -9999
    plain = write(tmp_path / "plain.tif", pixels, "GTiff", nodata=-9999)
    with rasterio.open(plain, "r+") as dataset:
        dataset.set_band_description(1, "height above sea")
    path = tmp_path / "cog.tif"
    cog_translate(plain, path, cog_profiles.get("deflate"), quiet=True)
    image = open_image(path)
    assert (image.bands, image.nodata) == (("height above sea",), -9999.0)
    np.testing.assert_array_equal(image.read(image.window).valid, pixels[0] != -9999)


@pytest.mark.parametrize("interleave", ["pixel", "band"])
@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 64, "blockysize": 48}, {}])
def test_planes_and_strips_of_geotiff_are_those_of_gdal(tmp_path, rng, interleave, layout):
    pixels = rng.integers(0, 9999, (4, 130, 170), dtype=np.uint16)
    options = {"compress": "deflate", "interleave": interleave, "predictor": 2, **layout}
    path = write(tmp_path / "a.tif", pixels, "GTiff", photometric="minisblack", **options)
    image = open_image(path)
    with rasterio.open(path) as dataset:
        assert len(image.bands) == dataset.count - ("alpha" in str(dataset.colorinterp))
        expected = np.moveaxis(dataset.read(range(1, len(image.bands) + 1)), 0, 2)
    np.testing.assert_array_equal(image.read(image.window).pixels, expected)


def test_a_tiff_that_tifffile_does_not_understand_is_read_by_gdal(tmp_path, rng, monkeypatch):
    pixels = rng.integers(0, 9999, (2, 130, 170), dtype=np.uint16)
    options = {"compress": "deflate", "tiled": True, "blockxsize": 64, "blockysize": 64}
    path = write(tmp_path / "a.tif", pixels, "GTiff", nodata=7, **options)
    by_tifffile = open_image(path)
    monkeypatch.setattr(tifffile.TIFF, "DECOMPRESSORS", {})
    by_gdal = open_image(path)
    with pytest.raises(NotUnderstoodError, match=r"a\.tif is compressed in a way"):
        open_tiff(path)
    for name in ("bands", "crs", "affine", "pixel_size", "unit", "nodata", "factors"):
        assert getattr(by_gdal, name) == getattr(by_tifffile, name)
    np.testing.assert_array_equal(by_gdal.read(by_gdal.window).pixels, np.moveaxis(pixels, 0, 2))
