from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import hed2rgb
from skimage.draw import disk

from napari_relay.geometry import Window
from napari_relay.training import ArrayLabels, LabelRecipe, compute_labels, label_recipe
from relay_tokens import UserError
from tests.training.scenes import pyramid

NUCLEI_AT = [(60, 60), (60, 150), (150, 60), (150, 150), (220, 100)]


def make_slide() -> np.ndarray:
    """Glass on the right; pink tissue with dark blue nuclei 16 px wide on the left."""
    stains = np.zeros((280, 320, 3))
    stains[:, :220, 1] = 0.12
    for center in NUCLEI_AT:
        stains[(*disk(center, 8), 0)] = 0.25
    noise = np.random.default_rng(0).normal(0, 2, size=stains.shape)
    return np.clip(hed2rgb(stains) * 255 + noise, 0, 255).astype(np.uint8)


SLIDE = pyramid(make_slide(), pixel_size=(0.5, 0.5), unit="um")


@pytest.fixture(scope="module")
def recipe() -> LabelRecipe:
    return label_recipe("stain", SLIDE)


@pytest.fixture(scope="module")
def whole(recipe: LabelRecipe) -> ArrayLabels:
    return compute_labels(recipe, SLIDE.shape, block=175)


def test_glass_tissue_and_nuclei_of_a_made_slide_are_told_apart(whole: ArrayLabels) -> None:
    labels = whole.read(SLIDE.window)
    assert (labels[:, 235:] == 0).all()
    assert all(labels[center] == 2 for center in NUCLEI_AT)
    between = labels[90:120, 10:200]
    assert (between == 1).mean() > 0.99


def test_nuclei_have_about_their_true_area(whole: ArrayLabels) -> None:
    true = len(NUCLEI_AT) * np.pi * 8**2
    assert (whole.read(SLIDE.window) == 2).sum() == pytest.approx(true, rel=0.25)


@settings(max_examples=8, deadline=None)
@given(st.integers(-40, 260), st.integers(-40, 300), st.integers(1, 120), st.integers(1, 120))
def test_a_pixel_has_the_same_label_whichever_window_asks(
    recipe: LabelRecipe, whole: ArrayLabels, y0: int, x0: int, height: int, width: int
) -> None:
    window = Window(y0, x0, height, width)
    np.testing.assert_array_equal(recipe.read(window), whole.read(window))


def test_pixels_outside_the_slide_have_no_label(recipe: LabelRecipe) -> None:
    labels = recipe.read(Window(-10, -10, 20, 20))
    assert (labels[:10] == 255).all()
    assert (labels[10:, 10:] != 255).all()


def test_a_slide_of_glass_alone_is_all_background() -> None:
    glass = pyramid(np.full((100, 100, 3), 243, np.uint8))
    assert (label_recipe("stain", glass).read(glass.window) == 0).all()


def test_a_large_dark_area_is_not_called_nuclei() -> None:
    pixels = make_slide()
    pixels[200:270, 130:210] = (60, 20, 70)
    slide = pyramid(pixels, pixel_size=(0.5, 0.5), unit="um")
    labels = label_recipe("stain", slide).read(slide.window)
    assert not (labels[205:265, 135:205] == 2).any()


def test_an_image_without_three_bands_is_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"tiny\.tif.*RGB"):
        label_recipe("stain", pyramid(np.zeros((64, 64, 1), np.uint8)))


def test_a_slide_too_coarse_for_nuclei_is_refused() -> None:
    with pytest.raises(UserError, match="8 µm"):
        label_recipe("stain", pyramid(make_slide(), pixel_size=(8.0, 8.0), unit="um"))


def test_an_unknown_recipe_lists_the_known_ones() -> None:
    with pytest.raises(UserError, match="stain, slope"):
        label_recipe("magic", SLIDE)
