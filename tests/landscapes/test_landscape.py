from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.landscapes import Landscape
from napari_relay.landscapes.grid import SampleGrid
from napari_relay.landscapes.labels import SITE_CLASSES, LandscapeClass
from napari_relay.landscapes.scene import Scene
from napari_relay.landscapes.site_plan import COMPOUND
from relay_tokens import UserError

WHOLE = Window(180, 700, 420, 400)
"""Parts of six tiles."""


@pytest.fixture(scope="module")
def whole():
    return Landscape(seed=1).read(WHOLE)


@settings(deadline=None, max_examples=12)
@given(st.data())
def test_any_window_shows_the_same_pixels(whole, data):
    y0, x0 = data.draw(st.integers(0, WHOLE.height - 1)), data.draw(st.integers(0, WHOLE.width - 1))
    height = data.draw(st.integers(1, min(120, WHOLE.height - y0)))
    width = data.draw(st.integers(1, min(120, WHOLE.width - x0)))
    part = Landscape(seed=1).read(Window(WHOLE.y0 + y0, WHOLE.x0 + x0, height, width))
    for alone, of_whole in zip(part, whole, strict=True):
        np.testing.assert_array_equal(alone, of_whole[y0 : y0 + height, x0 : x0 + width])


def test_there_is_no_seam_between_tiles(whole):
    border = 256 - WHOLE.y0
    steps = np.abs(np.diff(whole.elevation, axis=0)).mean(axis=1)
    assert steps[border - 1] < 1.3 * max(steps[border - 2], steps[border])


def test_labels_alone_are_those_of_the_whole(whole):
    np.testing.assert_array_equal(Landscape(seed=1).read_labels(WHOLE), whole.labels)


def test_what_a_pixel_shows_does_not_depend_on_the_size():
    window = Window(10, 20, 30, 40)
    small = Landscape(seed=1, size=(60, 70)).read(window)
    for one, other in zip(small, Landscape(seed=1).read(window), strict=True):
        np.testing.assert_array_equal(one, other)


def test_another_seed_is_another_land(whole):
    other = Landscape(seed=2).read(WHOLE)
    assert abs(np.corrcoef(whole.elevation.ravel(), other.elevation.ravel())[0, 1]) < 0.9
    assert (whole.rgb != other.rgb).any(axis=2).mean() > 0.9


def test_the_land_has_metres_colours_and_classes(whole):
    assert [a.dtype for a in whole] == [np.float32, np.uint8, np.uint8]
    assert whole.rgb.shape == (WHOLE.height, WHOLE.width, 3)
    assert np.isfinite(whole.elevation).all()
    assert 0 < whole.elevation.min() < whole.elevation.max() < 60
    assert whole.labels.max() <= LandscapeClass.TEMPLE


def test_twice_the_scale_doubles_every_length():
    small = Landscape(seed=1).read_labels(WHOLE)
    large = Landscape(seed=1, scale=2).read_labels(Window(*(2 * edge for edge in WHOLE)))
    assert small.any()
    assert (large[::2, ::2] == small).mean() > 0.99


def test_an_empty_window_is_empty():
    assert Landscape().read(Window(5, 5, 0, 9)).labels.shape == (0, 9)


@pytest.fixture(scope="module")
def country() -> Scene:
    """Eight compounds, four of them sites, at every fifth point."""
    rows, cols = np.arange(0, 2 * COMPOUND, 5), np.arange(0, 4 * COMPOUND, 5)
    return Scene(SampleGrid(rows, cols, 5.0), 3)


def test_every_class_has_its_share(country):
    counts = np.bincount(country.labels.ravel(), minlength=4)
    background, mound, hydrology, temple = counts / counts.sum()
    assert 0.85 < background < 0.94
    assert 0.015 < mound < 0.08
    assert 0.04 < hydrology < 0.10
    assert 0.01 < temple < 0.04


def test_reservoirs_cover_more_than_moats_and_canals(country):
    moats = (country.moats.water > 0.5).mean()
    hydrology = (country.labels == LandscapeClass.HYDROLOGY).mean()
    assert hydrology - moats > moats


@pytest.mark.parametrize("kind", list(SITE_CLASSES))
def test_each_kind_is_as_frequent_in_sites_as_in_open_country(country, kind):
    sizes = {True: 0.0, False: 0.0}
    for placed in country.placed:
        if placed.feature.kind is kind:
            sizes[placed.is_site] += float((placed.radius < 1).sum())
    assert 0.8 < sizes[True] / sizes[False] < 1.25


def peak_bytes(work) -> int:
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_is_that_of_a_tile_and_of_what_is_returned():
    land = Landscape(seed=1)
    small, large = (peak_bytes(lambda n=n: land.read(Window(0, 0, 256, n))) for n in (256, 1536))
    returned = 256 * (1536 - 256) * 8
    assert large < small + returned + 2**20
    assert small < 64 * 2**20


@pytest.mark.parametrize(
    ("given_", "sentence"),
    [
        ({"seed": -1}, "The landscape's seed is -1; choose 0 or more."),
        (
            {"size": (0, 9)},
            "The landscape's size is 0 × 9 pixels; choose 1 to 32768 a side.",
        ),
        ({"scale": 0.1}, "The landscape's scale is 0.1; choose 0.25 to 8."),
        ({"scale": float("nan")}, "The landscape's scale is nan; choose 0.25 to 8."),
    ],
)
def test_what_is_out_of_range_is_refused_in_one_sentence(given_, sentence):
    with pytest.raises(UserError, match=sentence):
        Landscape(**given_)
