"""Whatever the tiles, the values are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.images.relief import with_relief
from tests.images.relief.terrain import hills, terrain, with_holes

BANDS = (
    "elevation",
    "multi-direction hillshade",
    "slope",
    "local relief",
    "sky-view factor",
    "positive openness",
    "negative openness",
)


def derived(rows: int, cols: int) -> PyramidImage:
    fine = with_holes(hills(rows, cols))
    coarse = with_holes(hills((rows + 1) // 2, (cols + 1) // 2, seed=1))
    return with_relief(terrain(fine, coarse, pixel_size=(0.5, 0.5), unit="m"), BANDS)


WHOLE = derived(150, 131)
WHOLE_LEVELS = [np.asarray(array[:, :, :]) for array in WHOLE.arrays]


@settings(max_examples=40, deadline=None)
@given(
    level=st.integers(0, 1),
    y0=st.integers(0, 74),
    x0=st.integers(0, 65),
    height=st.integers(1, 150),
    width=st.integers(1, 131),
)
def test_a_tile_of_any_size_anywhere_is_a_part_of_the_whole(level, y0, x0, height, width):
    key = slice(y0, y0 + height), slice(x0, x0 + width), slice(None)
    made = WHOLE.arrays[level][key]
    np.testing.assert_allclose(made, WHOLE_LEVELS[level][key], rtol=0, atol=1e-5)


@settings(max_examples=8, deadline=None)
@given(rows=st.integers(1, 45), cols=st.integers(1, 45), cut=st.integers(0, 44))
def test_an_image_smaller_than_a_radius_has_no_seams_either(rows, cols, cut):
    array = derived(rows, cols).arrays[0]
    whole = array[:, :, :]
    assert whole.shape == (rows, cols, 9)
    parts = [array[:, : min(cut, cols), :], array[:, min(cut, cols) :, :]]
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, rtol=0, atol=1e-5)


def test_the_lazy_levels_are_what_is_read_directly():
    for level, whole in zip(WHOLE.levels, WHOLE_LEVELS, strict=True):
        np.testing.assert_allclose(level.compute(scheduler="synchronous"), whole, atol=1e-5)
        band = level[10:40, 20:50, 3].compute(scheduler="synchronous")
        np.testing.assert_allclose(band, whole[10:40, 20:50, 3], atol=1e-5)


def test_a_window_over_the_edge_reflects_the_relief_like_any_band():
    patch = WHOLE.read(Window(-5, 3, 20, 20))
    np.testing.assert_allclose(patch.pixels[:5], patch.pixels[10:5:-1], atol=1e-5)
    assert not patch.valid[:5].any()


@pytest.mark.parametrize("band", range(len(WHOLE.bands)))
def test_missing_data_never_spread(band):
    made, elevation = WHOLE_LEVELS[0][..., band], WHOLE_LEVELS[0][..., 0]
    np.testing.assert_array_equal(np.isnan(made), np.isnan(elevation))
    assert np.isnan(elevation).any()


def test_nothing_is_read_before_it_is_asked_for():
    class Untouchable:
        shape, dtype = (5000, 5000, 1), np.dtype(np.float32)

        def __getitem__(self, key: object) -> np.ndarray:
            raise AssertionError("read")

    image = terrain(np.zeros((4, 4), np.float32))
    object.__setattr__(image, "arrays", (Untouchable(),))
    with_relief(image, BANDS)
    with pytest.raises(AssertionError, match="read"):
        with_relief(image, BANDS).read(Window(0, 0, 1, 1))
