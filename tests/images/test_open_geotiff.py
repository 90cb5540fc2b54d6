from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.images import open_image

TERRAIN = Path(__file__).parents[2].parent / "shared" / "data" / "TM1_564_146.tif"
UTM = {1024: 1, 1025: 1, 3072: 32648, 3076: 9001}
DEGREES = {1024: 2, 1025: 1, 2048: 4326}


def write(path: Path, pixels: np.ndarray, keys: dict[int, int], *, nodata=None, gdal=None, **place):
    """A GeoTIFF with short geo keys, and doubles for scale, tie point or transformation."""
    directory = [1, 1, 0, len(keys)]
    for key, value in sorted(keys.items()):
        directory += [key, 0, 1, value]
    codes = {"scale": 33550, "tie": 33922, "transformation": 34264}
    tags = [(codes[name], "d", len(values), values, True) for name, values in place.items()]
    tags.append((34735, "H", len(directory), directory, True))
    if nodata is not None:
        tags.append((42113, "s", 0, nodata, True))
    if gdal is not None:
        tags.append((42112, "s", 0, gdal, True))
    contig = "contig" if pixels.ndim == 3 else None
    tifffile.imwrite(path, pixels, extratags=tags, metadata=None, planarconfig=contig)
    return open_image(path)


def test_scale_and_tie_point_make_the_affine_of_corners(tmp_path):
    image = write(
        tmp_path / "t.tif",
        np.zeros((4, 5), np.float32),
        UTM,
        scale=(0.5, 0.25, 0.0),
        tie=(2.0, 4.0, 0.0, 1000.0, 9000.0, 0.0),
    )
    assert image.crs == "EPSG:32648"
    assert image.affine == (0.5, 0.0, 999.0, 0.0, -0.25, 9001.0)
    assert (image.pixel_size, image.unit) == ((0.25, 0.5), "m")
    assert image.bands == ("elevation",)


def test_coordinates_of_pixel_centres_are_moved_to_corners(tmp_path):
    image = write(
        tmp_path / "t.tif",
        np.zeros((4, 5), np.float32),
        UTM | {1025: 2},
        scale=(2.0, 2.0, 0.0),
        tie=(0.0, 0.0, 0.0, 1000.0, 9000.0, 0.0),
    )
    assert image.affine == (2.0, 0.0, 999.0, 0.0, -2.0, 9001.0)


def test_a_rotated_transformation_keeps_the_side_of_a_pixel(tmp_path):
    matrix = (3.0, 4.0, 0.0, 100.0, 4.0, -3.0, 0.0, 200.0, *[0.0] * 7, 1.0)
    image = write(tmp_path / "t.tif", np.zeros((4, 5), "u1"), UTM, transformation=matrix)
    assert image.affine == (3.0, 4.0, 100.0, 4.0, -3.0, 200.0)
    assert image.pixel_size == (5.0, 5.0)
    assert image.bands == ("intensity",)


def test_geographic_coordinates_are_in_degrees(tmp_path):
    place = {"scale": (0.1, 0.1, 0.0), "tie": (0.0, 0.0, 0.0, 14.0, 46.0, 0.0)}
    image = write(tmp_path / "t.tif", np.zeros((4, 5), "f4"), DEGREES, **place)
    assert (image.crs, image.unit) == ("EPSG:4326", "degree")
    assert image.pixel_size == pytest.approx((0.1, 0.1))


def test_feet_are_handed_on_as_metres_but_the_affine_stays_in_feet(tmp_path):
    place = {"scale": (10.0, 10.0, 0.0), "tie": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)}
    image = write(tmp_path / "t.tif", np.zeros((4, 5), "f4"), UTM | {3076: 9002}, **place)
    assert image.pixel_size == pytest.approx((3.048, 3.048))
    assert image.unit == "m"
    assert image.affine is not None
    assert image.affine[0] == 10.0


def test_a_system_of_its_own_has_no_epsg_code(tmp_path):
    place = {"scale": (1.0, 1.0, 0.0), "tie": (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)}
    assert write(tmp_path / "t.tif", np.zeros((4, 5)), UTM | {3072: 32767}, **place).crs is None


@pytest.mark.parametrize(
    ("dtype", "text", "expected"),
    [
        ("f4", "-9999", -9999.0),
        ("u1", "0", 0.0),
        ("u1", "-9999", None),
        ("f4", "nan", None),
        ("f4", "-3.40282350e+38", float(np.finfo(np.float32).min)),
        ("f4", "-1.7976931348623157e+308", None),
        ("f8", "-1.7976931348623157e+308", -1.7976931348623157e308),
        ("f4", "none at all", None),
    ],
)
def test_nodata_is_kept_where_a_pixel_can_have_it(tmp_path, dtype, text, expected):
    assert write(tmp_path / "t.tif", np.zeros((4, 5), dtype), UTM, nodata=text).nodata == expected


def test_nodata_written_with_too_many_digits_still_matches(tmp_path):
    lowest = np.finfo(np.float32).min
    pixels = np.array([[lowest, 1.0]], np.float32)
    image = write(tmp_path / "t.tif", pixels, UTM, nodata="-3.4028234663852886e+38")
    assert image.read(image.window).valid.tolist() == [[False, True]]


def test_bands_have_the_names_that_gdal_gave_them(tmp_path):
    names = '<GDALMetadata><Item name="DESCRIPTION" sample="1" role="description">nir</Item>'
    path = tmp_path / "t.tif"
    pixels = np.zeros((20, 30, 2), np.uint16)
    image = write(path, pixels, UTM, gdal=f"{names}</GDALMetadata>")
    assert image.bands == ("band 1", "nir")


def test_a_hole_in_the_terrain_stays_a_hole_at_coarser_levels(tmp_path):
    pixels = np.full((1100, 1030), 5.0, np.float32)
    pixels[100:104, 200:204] = -9999
    pixels[300, 300] = -9999
    image = write(tmp_path / "t.tif", pixels, UTM, nodata="-9999")
    patch = image.read(image.window, level=1)
    assert np.argwhere(~patch.valid).tolist() == [[50, 100], [50, 101], [51, 100], [51, 101]]
    assert set(np.unique(patch.pixels)) == {-9999.0, 5.0}


@pytest.mark.skipif(not TERRAIN.is_file(), reason="the shared terrain is not here")
def test_the_real_terrain_is_in_metres():
    image = open_image(TERRAIN)
    assert (image.crs, image.pixel_size, image.unit) == ("EPSG:3794", (1.0, 1.0), "m")
    assert image.affine == (1.0, 0.0, 563999.5, 0.0, -1.0, 146999.5)
    np.testing.assert_array_equal(image.read(image.window).pixels[..., 0], tifffile.imread(TERRAIN))
