from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image


def pyramid(pixels: np.ndarray, *coarser: np.ndarray, **facts) -> PyramidImage:
    levels = [pixels, *coarser]
    return PyramidImage(
        levels=tuple(da.from_array(level, chunks=(3, 3, -1)) for level in levels),
        factors=tuple(2.0**k for k in range(len(levels))),
        bands=tuple("abcdef"[: pixels.shape[2]]),
        source=Path("memory"),
        **facts,
    )


@settings(max_examples=50, deadline=None)
@given(
    y0=st.integers(-20, 20),
    x0=st.integers(-20, 20),
    height=st.integers(1, 25),
    width=st.integers(1, 25),
)
def test_reading_outside_the_image_reflects_it(y0, x0, height, width):
    pixels = np.arange(7 * 5 * 2).reshape(7, 5, 2)
    patch = pyramid(pixels).read(Window(y0, x0, height, width))
    padded = np.pad(pixels, ((60, 60), (60, 60), (0, 0)), mode="reflect")
    expected = padded[60 + y0 : 60 + y0 + height, 60 + x0 : 60 + x0 + width]
    np.testing.assert_array_equal(patch.pixels, expected)
    inside = np.pad(np.ones((7, 5), bool), 60)
    np.testing.assert_array_equal(
        patch.valid, inside[60 + y0 : 60 + y0 + height, 60 + x0 : 60 + x0 + width]
    )


@pytest.mark.parametrize("window", [(2, 2, 0, 3), (2, 2, 3, 0), (-5, 900, 0, 0), (0, 0, -2, 4)])
def test_an_empty_window_has_no_pixels(window):
    patch = pyramid(np.zeros((7, 5, 2), np.int16)).read(Window(*window))
    assert patch.pixels.size == patch.valid.size == 0
    assert patch.pixels.dtype == np.int16
    assert patch.pixels.shape == (*patch.valid.shape, 2)


def test_a_coarser_level_is_read_in_its_own_pixels():
    fine, coarse = np.zeros((8, 8, 1)), np.arange(16.0).reshape(4, 4, 1)
    patch = pyramid(fine, coarse).read(Window(2, 4, 4, 2), level=1)
    np.testing.assert_array_equal(patch.pixels[..., 0], [[6], [10]])


def test_a_pixel_is_valid_when_any_band_has_data_and_all_are_finite():
    pixels = np.array([[[0.0, 0.0], [0.0, 5.0], [np.nan, 5.0], [np.inf, 1.0]]])
    assert pyramid(pixels, nodata=0.0).read(Window(0, 0, 1, 4)).valid.tolist() == [
        [False, True, False, False]
    ]


def test_the_level_for_a_factor_is_the_coarsest_that_is_fine_enough():
    image = pyramid(np.zeros((8, 8, 1)), np.zeros((4, 4, 1)), np.zeros((2, 2, 1)))
    slide = replace(image, factors=(1.0, 2.0, 4.0003))
    assert [slide.level_for(f) for f in (1, 1.9, 2, 3, 4, 100)] == [0, 0, 1, 1, 2, 2]


def test_threads_read_what_a_single_one_reads(tmp_path, rng):
    pixels = rng.integers(0, 255, (400, 300, 3), dtype=np.uint8)
    path = tmp_path / "tiles.tif"
    tifffile.imwrite(path, pixels, tile=(64, 64), compression="zlib", photometric="rgb")
    image = open_image(path)
    windows = [Window(int(y), int(x), 50, 60) for y, x in rng.integers(-30, 300, (40, 2))]
    with ThreadPoolExecutor(4) as pool:
        parallel = list(pool.map(image.read, windows))
    for window, patch in zip(windows, parallel, strict=True):
        expected = replace(image, arrays=()).read(window)
        np.testing.assert_array_equal(patch.pixels, expected.pixels)
        np.testing.assert_array_equal(patch.valid, expected.valid)


def test_levels_that_do_not_fit_the_bands_are_refused():
    with pytest.raises(ValueError, match="bands"):
        replace(pyramid(np.zeros((8, 8, 1))), bands=("red", "green"))
