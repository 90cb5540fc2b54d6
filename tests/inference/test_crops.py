from __future__ import annotations

import math
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import check_fit, read_crop_pair
from napari_relay.inference.resampling import Span, resample
from relay_tokens import RelayConfig, UserError, load_model, zoo_names

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
@example(y=0, x=52, scale=2)
@example(y=0, x=52, scale=1)
def test_any_window_gives_finite_crops_of_the_models_size(y: int, x: int, scale: float) -> None:
    side = int(64 * scale)
    image = make_image(noise(37, 53))
    pair = read_crop_pair(image, Window(y, x, side, side), CONFIG, make_metadata(3, 2))
    assert pair.local.shape == pair.global_.shape == (3, 64, 64)
    assert np.isfinite(pair.local).all()
    assert np.isfinite(pair.global_).all()
    # A level of half the size has no pixel for an odd last row or column.
    rows, cols = (math.floor(n / max(scale, 1)) * max(int(scale), 1) for n in image.shape)
    assert pair.valid.any() == Window(y, x, side, side).intersects(Window(0, 0, rows, cols))


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


def test_image_normalisation_subtracts_the_images_own_mean_and_divides_by_its_spread() -> None:
    pixels = np.full((100, 100, 2), 10, dtype=np.float32)
    pixels[:, 50:, 0] = 20
    pixels[..., 1] = 7
    metadata = make_metadata(2, 2, normalization="image", mean=(99.0,) * 2, std=(3.0,) * 2)
    pair = read_crop_pair(make_image(pixels), Window(0, 20, 64, 64), CONFIG, metadata)
    # Mean 15, spread 5; the second band has no spread and keeps its unit.
    np.testing.assert_array_equal(pair.local[0, :, :30], -1)
    np.testing.assert_array_equal(pair.local[0, :, 30:], 1)
    np.testing.assert_array_equal(pair.local[1], 0)


def test_every_band_has_a_normalisation_of_its_own() -> None:
    pixels = np.full((400, 400, 3), 12, dtype=np.float32)
    pixels[:, 200:, 1] = 16
    pixels[..., 2] = np.arange(400)
    words = ("fixed", "image", "local")
    metadata = make_metadata(3, 2, normalization=words, mean=(10.0,) * 3, std=(2.0, 9.0, 4.0))
    pair = read_crop_pair(make_image(pixels), Window(168, 168, 64, 64), CONFIG, metadata)
    np.testing.assert_array_equal(pair.local[0], 1)
    np.testing.assert_array_equal(pair.local[1, 0], np.repeat([-1, 1], 32))
    # The global crop is columns 72 to 327: their mean is 199.5.
    np.testing.assert_allclose(pair.local[2, 0], (np.arange(168, 232) - 199.5) / 4, rtol=1e-6)
    np.testing.assert_allclose(pair.global_[2].mean(), 0, atol=1e-5)


def test_the_statistics_leave_pixels_without_data_out() -> None:
    pixels = np.full((100, 100, 1), -9999, dtype=np.float32)
    pixels[:50, :30], pixels[:50, 30:60] = 100, 104
    pixels[3, 3] = np.nan
    image = make_image(pixels, num_levels=1, nodata=-9999.0)
    share = 1500 / 2999
    assert image.statistics.mean[0] == pytest.approx(100 + 4 * share)
    assert image.statistics.std[0] == pytest.approx(4 * np.sqrt(share * (1 - share)))


def test_an_image_without_data_has_statistics_that_change_nothing() -> None:
    image = make_image(np.full((50, 50, 2), np.nan, np.float32), num_levels=1)
    assert image.statistics == ((0.0, 0.0), (1.0, 1.0))


@settings(max_examples=10, deadline=None)
@given(
    side=st.integers(200, 700), base=st.sampled_from([0, 4000]), num_levels=st.sampled_from([1, 3])
)
@example(side=600, base=4000, num_levels=1)
def test_the_statistics_are_those_of_the_coarsest_level_that_is_large_enough(
    side: int, base: int, num_levels: int
) -> None:
    slope = np.arange(side, dtype=np.float32)[:, None, None]
    image = make_image(noise(side, side) + slope + np.float32(base), num_levels)
    fitting = [level for level in image.levels if level.shape[0] * level.shape[1] >= 2**16]
    level = (fitting or [image.levels[0]])[-1].compute().astype(np.float64)
    mean, std = image.statistics
    np.testing.assert_allclose(mean, level.mean(axis=(0, 1)), rtol=1e-9)
    np.testing.assert_allclose(std, level.std(axis=(0, 1)), rtol=1e-9)


def test_the_statistics_do_not_depend_on_which_window_is_read_first() -> None:
    pixels = noise(500, 500)
    metadata = make_metadata(3, 2, normalization="image")
    windows = [Window(0, 0, 64, 64), Window(430, 200, 64, 64)]
    first, last = make_image(pixels), make_image(pixels)
    there = [read_crop_pair(first, w, CONFIG, metadata).local for w in windows]
    back = [read_crop_pair(last, w, CONFIG, metadata).local for w in reversed(windows)]
    np.testing.assert_array_equal(there, back[::-1])


@pytest.mark.parametrize("word", ["fixed", "image", "local"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_absurd_values_give_finite_crops(word: str, dtype: type) -> None:
    pixels = noise(300, 300, bands=1).astype(dtype)
    largest = float(np.finfo(dtype).max)
    pixels[100:110, 100:110], pixels[110:120, 100:110] = largest, -largest
    pixels[120:130, 100:110], pixels[130, 100] = np.inf, 1e38
    metadata = make_metadata(1, 2, normalization=word, mean=(1e300,), std=(1e-60,))
    image = make_image(pixels, num_levels=1)
    pair = read_crop_pair(image, Window(90, 90, 64, 64), CONFIG, metadata)
    assert np.isfinite(pair.local).all()
    assert np.isfinite(pair.global_).all()
    assert not pair.valid[30:40, 10:20].any()


@pytest.mark.parametrize("name", zoo_names())
def test_a_shipped_model_sees_just_the_bits_it_was_trained_on(name: str) -> None:
    checkpoint = load_model(name)
    metadata, bands = checkpoint.metadata, len(checkpoint.metadata.bands)
    pixels = noise(1300, 1300, bands=bands)
    image = make_image(pixels if bands == 3 else pixels.astype(np.float32) / 7, num_levels=1)
    config, side = checkpoint.model.config, checkpoint.model.config.crop_size
    window = Window(520, 500, side, side)
    pair = read_crop_pair(image, window, config, metadata)
    local = image.levels[0].compute()[window.slices].astype(np.float32)
    wide = window.around(config.context_factor)
    spans = (Span(start, float(config.context_factor), side) for start in (wide.y0, wide.x0))
    patch = image.read(wide)
    values, _ = resample(patch.pixels.astype(np.float32), patch.valid, *spans)
    around = values.reshape(-1, bands).mean(axis=0, dtype=np.float64)
    is_local = np.array(metadata.band_normalization) == "local"
    offset = np.where(is_local, around, metadata.mean).astype(np.float32)
    wanted = (local - offset) / np.asarray(metadata.std, dtype=np.float32)
    np.testing.assert_array_equal(pair.local, wanted.transpose(2, 0, 1))


def test_an_image_with_other_bands_is_refused_with_its_name_and_a_remedy() -> None:
    with pytest.raises(UserError, match=r"sample\.tif has 1 band .* takes 3 .*napari-relay models"):
        check_fit(make_image(noise(50, 50, bands=1)), make_metadata(3, 2))
