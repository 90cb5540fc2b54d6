from __future__ import annotations

from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import check_fit, read_crop_pair
from relay_tokens import RelayConfig, UserError

from .samples import make_image, make_metadata, noise

CONFIG = RelayConfig(backbone="none", num_classes=2, crop_size=64)
SINGLE = RelayConfig(backbone="none", num_classes=2, crop_size=64, context_factor=None)


def plane(height: int, width: int, factors: tuple[float, ...]) -> PyramidImage:
    """An image whose value is its position: band 0 the row, band 1 the column."""
    levels = []
    for factor in factors:
        rows = np.arange(int(height / factor)) * factor + (factor - 1) / 2
        cols = np.arange(int(width / factor)) * factor + (factor - 1) / 2
        grid = np.stack(np.meshgrid(rows, cols, indexing="ij"), axis=-1)
        levels.append(da.from_array(grid.astype(np.float32), chunks=(50, 50, 2)))
    return PyramidImage(tuple(levels), factors, ("row", "col"), Path("plane.tif"))


def test_the_local_crop_is_the_window_itself() -> None:
    pixels = noise(200, 200)
    pair = read_crop_pair(make_image(pixels), Window(40, 50, 64, 64), CONFIG, make_metadata(3, 2))
    np.testing.assert_array_equal(pair.local, pixels[40:104, 50:114].transpose(2, 0, 1))
    assert pair.valid.all()


def test_the_middle_of_the_global_crop_is_the_local_crop_downsampled() -> None:
    image = make_image(noise(600, 600).astype(np.float32))
    pair = read_crop_pair(image, Window(256, 192, 64, 64), CONFIG, make_metadata(3, 2))
    small = pair.local.reshape(3, 16, 4, 16, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(pair.global_[:, 24:40, 24:40], small, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(
    y=st.integers(150, 300),
    x=st.integers(150, 300),
    factors=st.sampled_from([(1.0,), (1.0, 2.0, 4.0), (1.0, 3.0), (1.0, 4.0003), (1.0, 2.5)]),
)
def test_both_crops_lie_where_they_should_to_a_fraction_of_a_pixel(
    y: int, x: int, factors: tuple[float, ...]
) -> None:
    image = plane(600, 600, factors)
    window = Window(y, x, 64, 64)
    pair = read_crop_pair(image, window, CONFIG, make_metadata(2, 2))
    start = np.array([y, x]) - 96 + 1.5
    steps = 4 * np.arange(64)
    np.testing.assert_allclose(pair.local[0, :, 0], np.arange(y, y + 64))
    np.testing.assert_allclose(pair.global_[0, :, 5], start[0] + steps, atol=0.45)
    np.testing.assert_allclose(pair.global_[1, 5, :], start[1] + steps, atol=0.45)


def test_the_global_crop_is_read_from_the_coarse_level_not_from_full_resolution() -> None:
    pixels = noise(600, 600)
    image = make_image(pixels)
    marked = PyramidImage(
        (image.levels[0], image.levels[1], image.levels[2] * 0 + 7),
        image.factors,
        image.bands,
        image.source,
    )
    pair = read_crop_pair(marked, Window(256, 192, 64, 64), CONFIG, make_metadata(3, 2))
    assert (pair.global_ == 7).all()


@settings(max_examples=15, deadline=None)
@given(y=st.integers(-200, 90), x=st.integers(-200, 90), scale=st.sampled_from([0.5, 1, 2]))
def test_any_window_gives_finite_crops_of_the_models_size(y: int, x: int, scale: float) -> None:
    side = int(64 * scale)
    image = make_image(noise(37, 53))
    pair = read_crop_pair(image, Window(y, x, side, side), CONFIG, make_metadata(3, 2))
    assert pair.local.shape == pair.global_.shape == (3, 64, 64)
    assert np.isfinite(pair.local).all()
    assert np.isfinite(pair.global_).all()
    inside = Window(y, x, side, side).intersects(image.window)
    assert pair.valid.any() == inside


def test_outside_the_image_the_crop_is_reflected_and_marked_invalid() -> None:
    pixels = noise(100, 100)
    pair = read_crop_pair(make_image(pixels), Window(-10, 0, 64, 64), SINGLE, make_metadata(3, 2))
    np.testing.assert_array_equal(pair.local[:, 9], pixels[1, :64].T)
    assert not pair.valid[:10].any()
    assert pair.valid[10:].all()
    assert pair.global_ is None


def test_pixels_without_data_are_zero_and_do_not_touch_the_local_mean() -> None:
    heights = np.full((300, 300, 1), 50.0, dtype=np.float32)
    heights[100:120, 100:120] = np.nan
    heights[120:130, 100:120] = -9999
    image = make_image(heights, num_levels=1, nodata=-9999.0)
    metadata = make_metadata(1, 2, normalization="local", std=(10.0,))
    pair = read_crop_pair(image, Window(90, 90, 64, 64), CONFIG, metadata)
    np.testing.assert_allclose(pair.local, 0, atol=1e-6)
    np.testing.assert_allclose(pair.global_, 0, atol=1e-6)
    assert not pair.valid[10:40, 10:30].any()


def test_local_normalisation_forgets_the_absolute_height() -> None:
    heights = noise(300, 300, bands=1).astype(np.float32)
    metadata = make_metadata(1, 2, normalization="local", std=(3.0,))
    low, high = (
        read_crop_pair(make_image(heights + base), Window(100, 100, 64, 64), CONFIG, metadata)
        for base in (0, 4000)
    )
    np.testing.assert_allclose(low.local, high.local, atol=1e-3)
    assert abs(low.global_.mean()) < 1e-3


def test_fixed_normalisation_subtracts_the_mean_and_divides_by_std() -> None:
    image = make_image(np.full((100, 100, 1), 30, dtype=np.uint16))
    metadata = make_metadata(1, 2, mean=(10.0,), std=(5.0,))
    pair = read_crop_pair(image, Window(0, 0, 64, 64), CONFIG, metadata)
    assert (pair.local == 4).all()
    assert (pair.global_ == 4).all()


def test_an_image_with_other_bands_is_refused_with_its_name_and_a_remedy() -> None:
    with pytest.raises(UserError, match=r"sample\.tif has 1 band .* takes 3 .*napari-relay models"):
        check_fit(make_image(noise(50, 50, bands=1)), make_metadata(3, 2))
