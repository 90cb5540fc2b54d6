from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.training import compute_labels, label_recipe
from relay_tokens import UserError
from tests.training.scenes import pyramid


def make_plane(degrees: float, direction: float = 0.5, step: float = 1.0) -> np.ndarray:
    y, x = np.mgrid[:90, :110] * step
    rise = np.tan(np.radians(degrees))
    return (300 + rise * (np.sin(direction) * y + np.cos(direction) * x)).astype(np.float32)


def terrain(elevation: np.ndarray, step: float = 1.0) -> PyramidImage:
    return pyramid(elevation[..., None], pixel_size=(step, step), unit="m", nodata=-9999.0)


@pytest.mark.parametrize(("degrees", "label"), [(0, 0), (4, 0), (10, 1), (14, 1), (30, 2)])
@pytest.mark.parametrize("step", [0.5, 1.0])
def test_a_tilted_plane_has_one_label(degrees: float, label: int, step: float) -> None:
    image = terrain(make_plane(degrees, step=step), step)
    labels = label_recipe("slope", image).read(image.window)
    assert set(np.unique(labels)) == {label, 255}
    assert (labels[16:-16, 16:-16] == label).all()


def test_labels_near_missing_data_are_left_out() -> None:
    elevation = make_plane(10)
    elevation[40:45, 50:55] = -9999
    image = terrain(elevation)
    labels = label_recipe("slope", image).read(image.window)
    assert (labels[35:50, 45:60] == 255).all()
    assert set(np.unique(labels)) == {1, 255}


hills = np.random.default_rng(1).normal(0, 2, size=(90, 110)).astype(np.float32)
HILLS = terrain(make_plane(8) + hills)
RECIPE = label_recipe("slope", HILLS)


@settings(max_examples=15, deadline=None)
@given(st.integers(-20, 80), st.integers(-20, 100), st.integers(1, 60), st.integers(1, 60))
def test_a_pixel_has_the_same_label_whichever_window_asks(
    y0: int, x0: int, height: int, width: int
) -> None:
    window = Window(y0, x0, height, width)
    expected = compute_labels(RECIPE, HILLS.shape, block=41).read(window)
    np.testing.assert_array_equal(RECIPE.read(window), expected)


def test_terrain_without_a_metric_pixel_size_is_refused() -> None:
    with pytest.raises(UserError, match="metres"):
        label_recipe("slope", pyramid(make_plane(3)[..., None]))
