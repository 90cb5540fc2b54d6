"""What a figure draws is what the layers show, pixel by pixel."""

from __future__ import annotations

import dask.array as da
import numpy as np
import pytest
from napari.layers import Image, Labels
from napari.utils.colormaps import DirectLabelColormap

from napari_relay.geometry import Window
from napari_relay.widgets.attention_overlay import attention_colormap
from napari_relay.widgets.layer_picture import flattened, pictures_of
from napari_relay.widgets.score_overlay import clear_below

PIXEL = (0.5, 0.25)


@pytest.fixture
def base() -> Image:
    """A picture with one red pixel at (40, 60), as a pyramid."""
    pixels = np.zeros((128, 160, 3), np.uint8)
    pixels[40, 60] = (255, 0, 0)
    levels = [da.from_array(pixels, chunks=(32, 32, 3)), da.from_array(pixels[::2, ::2])]
    return Image(levels, rgb=True, multiscale=True, scale=PIXEL)


def test_a_picture_has_every_pixel_of_a_window_at_its_place(base: Image) -> None:
    (picture,) = pictures_of([base], base)
    drawn = picture.draw(Window(30, 50, 20, 30), (20, 30))
    assert np.argwhere(drawn[..., 0] == 255).tolist() == [[10, 10]]
    assert (drawn[..., 3] == 255).all()
    twice = picture.draw(Window(30, 50, 20, 30), (40, 60))
    assert np.argwhere(twice[..., 0] == 255).min(axis=0).tolist() == [20, 20]
    assert (twice[..., 0] == 255).sum() == 4


def test_patches_of_attention_cover_the_pixels_that_they_are_of(base: Image) -> None:
    values = np.zeros((8, 10), np.float32)
    values[2, 3] = 1
    cell = 16
    overlay = Image(
        values,
        contrast_limits=(0, 1),
        colormap=attention_colormap("local"),
        scale=(cell * PIXEL[0], cell * PIXEL[1]),
        translate=(7.5 * PIXEL[0], 7.5 * PIXEL[1]),
    )
    (picture,) = pictures_of([overlay], base)
    drawn = picture.draw(Window(0, 0, 128, 160), (128, 160))
    lit = np.argwhere(drawn[..., 0] > 200)
    assert lit.min(axis=0).tolist() == [32, 48]
    assert lit.max(axis=0).tolist() == [47, 63]
    assert len(lit) == 256


def test_what_is_not_predicted_is_clear(base: Image) -> None:
    values = np.full((128, 160), np.nan, np.float32)
    values[:, 80:] = 0.5
    nothing = Image(values, contrast_limits=(0, 1), scale=PIXEL)
    scores = np.zeros((128, 160), np.uint8)
    scores[:, 80:] = 200
    score = Image(scores, contrast_limits=(1, 255), colormap=clear_below("viridis"), scale=PIXEL)
    for layer in (nothing, score):
        (picture,) = pictures_of([layer], base)
        alpha = picture.draw(Window(0, 0, 128, 160), (128, 160))[..., 3]
        assert (alpha[:, :80] == 0).all()
        assert (alpha[:, 80:] == 255).all()


def test_beyond_a_layer_there_is_nothing(base: Image) -> None:
    small = Image(np.ones((10, 10)), contrast_limits=(0, 1), scale=PIXEL)
    (picture,) = pictures_of([small], base)
    drawn = picture.draw(Window(-5, -5, 20, 20), (20, 20))
    assert (drawn[5:15, 5:15, 3] == 255).all()
    assert drawn[..., 3].sum() == 255 * 100
    assert not picture.draw(Window(50, 50, 9, 9), (9, 9)).any()


def test_labels_have_their_colours_and_outlines(base: Image) -> None:
    labels = np.zeros((128, 160), np.uint8)
    labels[20:60, 20:60] = 1
    colors = DirectLabelColormap(color_dict={0: "transparent", 1: "#0000ff", None: "transparent"})
    layer = Labels(labels, colormap=colors, opacity=0.5, scale=PIXEL)
    window = Window(0, 0, 128, 160)
    (picture,) = pictures_of([layer], base)
    drawn = picture.draw(window, (128, 160))
    assert drawn[30, 30].tolist() == [0, 0, 255, 128]
    assert drawn[5, 5, 3] == 0
    layer.contour = 2
    (picture,) = pictures_of([layer], base)
    outlined = picture.draw(window, (128, 160))
    assert outlined[30, 30, 3] == 0
    assert outlined[20, 30, 3] == 128


def test_hidden_layers_are_left_out_and_light_is_added_where_it_is_so(base: Image) -> None:
    grey = Image(np.full((128, 160), 0.4), contrast_limits=(0, 1), scale=PIXEL)
    window = Window(0, 0, 8, 8)
    assert flattened(pictures_of([base, grey], base), window, (8, 8))[0, 0].tolist() == [102] * 3
    grey.opacity = 0.5
    assert flattened(pictures_of([base, grey], base), window, (8, 8))[0, 0].tolist() == [51] * 3
    second = Image(np.full((128, 160), 0.4), contrast_limits=(0, 1), scale=PIXEL)
    second.blending = "additive"
    both = pictures_of([base, grey, second], base)
    assert flattened(both, window, (8, 8))[0, 0].tolist() == [153] * 3
    grey.visible = False
    assert len(pictures_of([base, grey, second], base)) == 2


def test_a_coarse_picture_of_a_large_layer_reads_a_coarse_level(base: Image) -> None:
    read = []

    class Level:
        def __init__(self, number: int, shape: tuple[int, int]) -> None:
            self.number, self.shape, self.ndim = number, shape, 2
            self.dtype, self.size = np.dtype(np.uint8), shape[0] * shape[1]

        def __getitem__(self, key: tuple[slice, slice]) -> np.ndarray:
            read.append(self.number)
            return np.zeros([s.stop - s.start for s in key], np.uint8)

    (picture,) = pictures_of([base], base)
    picture = type(picture)(
        (Level(0, (4096, 4096)), Level(1, (1024, 1024)), Level(2, (256, 256))),
        ((1.0, 1.0), (4.0, 4.0), (16.0, 16.0)),
        picture.matrix,
        lambda values: np.zeros((*values.shape, 4)),
        1.0,
        "translucent",
    )
    for side, level in ((4096, 0), (1100, 0), (1024, 1), (500, 1), (256, 2)):
        picture.draw(Window(0, 0, 4096, 4096), (side, side))
        assert read.pop() == level
