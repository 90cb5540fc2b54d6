from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from napari_relay.images.halving import halve

SHAPES = hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=7)
DTYPES = st.sampled_from([np.uint8, np.int8, np.uint16, np.int16, np.int32])


@settings(max_examples=60, deadline=None)
@given(DTYPES.flatmap(lambda dtype: hnp.arrays(dtype, SHAPES)))
def test_integers_are_averaged_and_rounded_to_the_nearest(pixels):
    rows, cols, bands = pixels.shape
    half = halve(pixels)
    assert half.shape == ((rows + 1) // 2, (cols + 1) // 2, bands)
    assert half.dtype == pixels.dtype
    for i in range(half.shape[0]):
        for j in range(half.shape[1]):
            mean = pixels[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].astype(float).mean(axis=(0, 1))
            np.testing.assert_array_equal(half[i, j], np.floor(mean + 0.5))


@pytest.mark.parametrize("dtype", [np.uint64, np.int64, np.uint32, np.uint8])
def test_the_largest_integers_do_not_overflow(dtype):
    most = np.full((4, 4, 2), np.iinfo(dtype).max)
    np.testing.assert_array_equal(halve(most.astype(dtype)), most[:2, :2])


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, SHAPES, elements=st.sampled_from([-9999.0, np.nan, np.inf, 0.5, 3.0]))
)
def test_pixels_without_data_are_left_out_of_the_mean(pixels):
    half = halve(pixels, nodata=-9999.0)
    valid = np.isfinite(pixels).all(axis=2) & (pixels != -9999).any(axis=2)
    for i, j in np.ndindex(half.shape[:2]):
        square = np.s_[2 * i : 2 * i + 2, 2 * j : 2 * j + 2]
        kept = pixels[square][valid[square]]
        expected = kept.mean(axis=0) if len(kept) else np.full(pixels.shape[2], -9999.0)
        np.testing.assert_allclose(half[i, j], expected, rtol=1e-6)


def test_without_a_nodata_value_a_hole_stays_nan():
    pixels = np.ones((4, 4, 1), np.float32)
    pixels[:2, :2] = np.nan
    np.testing.assert_array_equal(halve(pixels)[..., 0], [[np.nan, 1], [1, 1]])


def test_integer_nodata_does_not_darken_its_neighbours():
    pixels = np.array([[0, 10], [11, 0]], np.uint8)[..., None]
    assert halve(pixels, nodata=0).item() == 11
    assert halve(pixels).item() == 5
