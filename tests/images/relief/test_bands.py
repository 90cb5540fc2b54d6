"""Images whose bands are picked, put in order and worked out."""

from __future__ import annotations

import numpy as np
import pytest

from napari_relay.geometry import Window
from napari_relay.images.relief import STYLES, elevation_band, matching_bands, with_relief
from napari_relay.inference.crops import read_crop_pair
from relay_tokens import ClassSchema, ModelMetadata, RelayConfig, UserError
from tests.images.relief.terrain import hills, terrain, with_holes


@pytest.fixture
def dem():
    return terrain(with_holes(hills(40, 50)), pixel_size=(1.0, 1.0), unit="m")


@pytest.fixture
def scene():
    """Colours and elevation; the colours go down to 0, which is no missing data."""
    colors = np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.float32)
    ground = hills(40, 50)
    ground[5, 6] = -9999
    pixels = np.concatenate([colors, ground[..., None]], axis=2)
    return terrain(pixels, bands=("red", "green", "blue", "DTM"))


def test_relief_comes_beside_the_elevation_in_the_order_asked_for(dem):
    both = with_relief(dem, ["slope", "elevation"])
    assert both.bands == ("slope", "elevation")
    assert (both.dtype, both.nodata, both.shape) == (np.float32, None, dem.shape)
    assert (both.pixel_size, both.unit, both.source) == (dem.pixel_size, "m", dem.source)
    patch, own = both.read(dem.window), dem.read(dem.window)
    np.testing.assert_array_equal(patch.pixels[own.valid][:, 1], own.pixels[own.valid][:, 0])
    np.testing.assert_array_equal(patch.valid, own.valid)


def test_many_bands_at_once_are_each_what_they_are_alone(dem):
    names = ["sky-view factor", "local relief", "hillshade", "negative openness"]
    together = with_relief(dem, names).read(dem.window).pixels
    for k, name in enumerate(names):
        alone = with_relief(dem, [name]).read(dem.window).pixels[..., 0]
        np.testing.assert_array_equal(together[..., k], alone)


def test_several_directions_are_three_bands(dem):
    many = with_relief(dem, ["multi-direction hillshade", "slope"])
    assert many.bands == ("hillshade 315", "hillshade 22.5", "hillshade 90", "slope")
    one = with_relief(dem, ["hillshade"]).read(dem.window).pixels[..., 0]
    np.testing.assert_array_equal(many.read(dem.window).pixels[..., 0], one)


def test_an_image_that_has_just_these_bands_is_itself(dem, scene):
    assert with_relief(dem, ["elevation"]) is dem
    assert matching_bands(scene, ["Red", "green", "blue", "elevation"]) is scene


def test_a_model_of_elevation_and_slope_is_given_both(dem):
    matched = matching_bands(dem, ("elevation", "slope"))
    assert matched.bands == ("elevation", "slope")
    assert matched.read(dem.window).pixels.shape == (40, 50, 2)


def test_bands_are_put_in_the_models_order_and_elevation_is_known_by_other_names(scene):
    matched = matching_bands(scene, ("elevation", "blue", "red"))
    own = scene.read(scene.window).pixels
    made = matched.read(scene.window)
    inside = made.valid
    np.testing.assert_array_equal(made.pixels[inside], own[inside][:, [3, 2, 0]])
    np.testing.assert_array_equal(
        np.isnan(matching_bands(scene, ["slope"]).read(scene.window).pixels[..., 0]),
        own[..., 3] == -9999,
    )


@pytest.mark.parametrize("wanted", [("infrared",), ("elevation", "moisture"), ("intensity",)])
def test_bands_that_cannot_be_matched_leave_the_image_as_it_is(dem, wanted):
    assert matching_bands(dem, wanted) is dem


def test_relief_of_an_image_without_elevation_is_left_or_refused():
    picture = terrain(np.zeros((20, 20, 3), np.uint8), bands=("red", "green", "blue"))
    assert elevation_band(picture) is None
    assert matching_bands(picture, ("red", "slope")) is picture
    with pytest.raises(UserError, match=r"dem\.tif has no band of elevation .* slope"):
        with_relief(picture, ["slope"])


@pytest.mark.parametrize("name", ["gradient", "hillshade north", "hillshade "])
def test_a_name_that_means_nothing_is_refused_with_those_that_do(dem, name):
    with pytest.raises(UserError, match=r"dem\.tif has no band .*sky-view factor"):
        with_relief(dem, [name])


def test_an_own_band_comes_before_a_worked_out_one():
    pixels = np.stack([hills(20, 20), np.full((20, 20), 7, np.float32)], axis=2)
    image = terrain(pixels, bands=("elevation", "slope"))
    made = with_relief(image, ["slope"]).read(image.window).pixels
    np.testing.assert_array_equal(made, 7)


def test_whole_metres_in_integers_with_their_own_missing_value_are_elevation_too():
    ground = hills(30, 30).astype(np.int16)
    ground[4, 4] = -9999
    made = with_relief(terrain(ground), ["slope"]).read(terrain(ground).window)
    assert np.isnan(made.pixels[4, 4])
    assert np.isfinite(made.pixels).sum() == 899


def test_every_style_shows_one_band_or_three_between_rising_limits(dem):
    for style in STYLES:
        image = with_relief(dem, style.bands)
        assert len(image.bands) in (1, 3)
        assert style.limits[0] < style.limits[1]
    assert len({style.label for style in STYLES}) == len(STYLES)


def test_a_model_reads_relief_of_the_level_that_its_wide_crop_needs():
    fine, coarse = hills(96, 96), hills(48, 48, seed=1)
    coarse[20:24, 20:24] = -9999
    image = matching_bands(terrain(fine, coarse), ("elevation", "slope"))
    config = RelayConfig(
        "vit_tiny_patch16_224", num_classes=2, in_channels=2, crop_size=16, context_factor=2
    )
    metadata = ModelMetadata(
        "m", ClassSchema.from_names(["a", "b"]), image.bands, (0.0, 0.0), (1.0, 1.0)
    )
    pair = read_crop_pair(image, Window(40, 40, 16, 16), config, metadata)
    wide = image.read(Window(32, 32, 32, 32), level=1)
    assert np.isnan(wide.pixels).any()
    np.testing.assert_array_equal(
        pair.local, image.read(Window(40, 40, 16, 16)).pixels.transpose(2, 0, 1)
    )
    np.testing.assert_array_equal(pair.global_, np.nan_to_num(wide.pixels.transpose(2, 0, 1)))
