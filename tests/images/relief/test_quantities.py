"""What the quantities are where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from napari_relay.images import PyramidImage
from napari_relay.images.relief import with_relief
from relay_tokens import UserError
from tests.images.relief.terrain import hills, terrain

EVERY = (
    "hillshade",
    "slope",
    "local relief",
    "sky-view factor",
    "positive openness",
    "negative openness",
)


def values(image: PyramidImage, name: str, level: int = 0) -> np.ndarray:
    return with_relief(image, [name]).read(image.window, level).pixels[..., 0]


def plane(east: float, south: float, side: int = 60) -> np.ndarray:
    """Ground that rises by so much a pixel."""
    y, x = np.mgrid[:side, :side]
    return (south * y + east * x).astype(np.float32)


def test_level_ground_is_open_lit_by_the_suns_height_and_without_relief():
    image = terrain(np.full((50, 50), 812.0, np.float32))
    flat = {name: values(image, name) for name in EVERY}
    np.testing.assert_allclose(flat["hillshade"], math.sin(math.radians(35)), atol=1e-6)
    np.testing.assert_allclose(flat["sky-view factor"], 1, atol=1e-6)
    for name in ("slope", "local relief"):
        np.testing.assert_allclose(flat[name], 0, atol=1e-6)
    for name in ("positive openness", "negative openness"):
        np.testing.assert_allclose(flat[name], 90, atol=1e-4)


@pytest.mark.parametrize(("east", "south"), [(0.5, 0.0), (0.0, -1.0), (0.3, 0.4)])
def test_the_slope_of_a_plane_is_its_angle(east, south):
    inner = values(terrain(plane(east, south)), "slope")[1:-1, 1:-1]
    np.testing.assert_allclose(inner, math.degrees(math.atan(math.hypot(east, south))), atol=1e-3)


@pytest.mark.parametrize(("azimuth", "lit"), [("0", "up"), ("90", "right"), ("180", "down")])
def test_ground_that_faces_the_sun_is_the_brightest(azimuth, lit):
    falls = {"up": plane(0, 1), "right": plane(-1, 0), "down": plane(0, -1), "left": plane(1, 0)}
    shades = {k: values(terrain(v), f"hillshade {azimuth}")[30, 30] for k, v in falls.items()}
    assert max(shades, key=shades.__getitem__) == lit
    assert shades[lit] == pytest.approx(math.cos(math.radians(45 - 35)), abs=1e-5)


def test_a_mound_stands_out_and_lies_open_and_a_pit_the_other_way_round():
    ground = np.zeros((61, 61), np.float32)
    ground[30, 30], mound = 5, (30, 30)
    up, down = terrain(ground), terrain(-ground)
    assert values(up, "local relief")[mound] == pytest.approx(5 * (1 - 1 / 41**2), abs=1e-5)
    assert values(up, "sky-view factor")[mound] == 1
    assert values(down, "sky-view factor")[mound] < 0.25
    # From the tip the horizon lies 5 below, 9.8 to 10 away; in the pit 5 above, 1 to 1.4 away.
    assert values(up, "positive openness")[mound] == pytest.approx(116.7, abs=0.4)
    assert 11 < values(down, "positive openness")[mound] < 17
    np.testing.assert_allclose(
        values(up, "negative openness"), values(down, "positive openness"), atol=1e-4
    )


@pytest.mark.parametrize("name", ["slope", "hillshade", "sky-view factor", "positive openness"])
def test_twice_as_wide_and_twice_as_high_is_the_same(name):
    ground = hills(50, 40) - 300
    wide = terrain(2 * ground, pixel_size=(2.0, 2.0), unit="m")
    np.testing.assert_allclose(values(wide, name), values(terrain(ground), name), atol=1e-4)


@pytest.mark.parametrize("name", ["slope", "sky-view factor", "negative openness"])
def test_pixels_that_are_no_squares_are_measured_along_each_side(name):
    ground = hills(50, 44)
    high = values(terrain(ground, pixel_size=(3.0, 1.0), unit="m"), name)
    wide = values(terrain(ground.T, pixel_size=(1.0, 3.0), unit="m"), name)
    np.testing.assert_allclose(high, wide.T, atol=1e-4)
    assert abs(high - values(terrain(ground), name)).max() > 1e-2


def test_degrees_become_metres_at_the_latitude_of_the_middle():
    # The well-known lengths of a degree of latitude and of longitude on WGS 84, to a metre.
    for latitude, north, east in ((60, 111_412, 55_800), (0, 110_574, 111_320)):
        place = {"pixel_size": (1e-4, 1e-4), "unit": "degree"}
        affine = (1e-4, 0.0, 20.0, 0.0, -1e-4, latitude + 30e-4)
        for ground, metres in ((plane(0, 1), north), (plane(1, 0), east)):
            slope = values(terrain(ground, affine=affine, **place), "slope")[30, 30]
            assert math.tan(math.radians(slope)) == pytest.approx(1e4 / metres, rel=2e-5)


@pytest.mark.parametrize("affine", [None, (1e-4, 0.0, 20.0, 0.0, -1e-4, 480_000.0)])
def test_degrees_at_no_latitude_are_refused_in_a_sentence(affine):
    image = terrain(plane(0, 1), pixel_size=(1e-4, 1e-4), unit="degree", affine=affine)
    with pytest.raises(UserError, match=r"dem\.tif .* reproject it"):
        with_relief(image, ["slope"])


@pytest.mark.parametrize("name", ["hillshade", "slope"])
def test_a_coarser_level_is_the_gradient_of_the_coarser_terrain(name):
    fine, coarse = hills(96, 80), hills(48, 40, seed=1)
    image = terrain(fine, coarse, pixel_size=(1.0, 1.0), unit="m")
    alone = terrain(coarse, pixel_size=(2.0, 2.0), unit="m")
    np.testing.assert_array_equal(values(image, name, level=1), values(alone, name))


@pytest.mark.parametrize(
    ("name", "radii"),
    [
        ("local relief", (20, 10, 10)),
        ("sky-view factor", (10, 5, 5)),
        ("positive openness", (10, 5, 5)),
    ],
)
def test_a_radius_stays_what_it_is_on_the_ground_down_to_a_few_pixels(name, radii):
    levels = [hills(side, side, seed=side) for side in (96, 48, 24)]
    for level, radius in enumerate(radii):
        before = values(terrain(*levels), name, level)
        for row, felt in ((radius, True), (radius + 1, False)):
            bumped = [ground.copy() for ground in levels]
            bumped[level][row, 0] += 50
            after = values(terrain(*bumped), name, level)
            assert (after[0, 0] != before[0, 0]) == felt
