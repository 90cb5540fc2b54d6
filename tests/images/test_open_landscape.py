"""Landscapes as images: every pixel computed when it is read."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from napari_relay.geometry import Window
from napari_relay.images import landscape_image, open_image, open_stack
from napari_relay.images.halving import halve
from napari_relay.inference.fingerprints import image_fingerprint
from napari_relay.landscapes import Landscape, write_landscape_file
from napari_relay.samples import sample_landscape
from relay_tokens import UserError

LAND = Landscape(seed=4, size=(1100, 1301))


def written(folder: Path, land: Landscape = LAND) -> Path:
    path = folder / f"land-{land.seed}-{land.scale}.landscape"
    write_landscape_file(land, path)
    return path


@pytest.fixture(scope="module")
def image():
    return landscape_image(LAND)


def test_an_image_has_bands_levels_and_a_place(image):
    assert image.bands == ("red", "green", "blue", "elevation")
    assert image.factors == (1.0, 2.0, 4.0)
    assert [level.shape for level in image.levels] == [
        (1100, 1301, 4),
        (550, 651, 4),
        (275, 326, 4),
    ]
    assert (image.pixel_size, image.unit, image.crs) == ((0.5, 0.5), "m", "EPSG:32648")
    assert image.affine == (0.5, 0.0, 370_000.0, 0.0, -0.5, 1_490_000.0)


def test_level_0_is_the_landscape(image):
    window = Window(200, 240, 100, 60)
    pixels, patch = image.read(window).pixels, LAND.read(window)
    np.testing.assert_array_equal(pixels[..., :3], patch.rgb)
    np.testing.assert_array_equal(pixels[..., 3], patch.elevation)


@pytest.mark.parametrize("level", [1, 2])
def test_levels_up_to_4_are_means_also_at_the_edge(image, level):
    window = Window(1000, 1200, 100, 101)
    expected = image.read(window).pixels
    for _ in range(level):
        expected = halve(expected)
    factor = 2**level
    rows, cols = slice(1000 // factor, None), slice(1200 // factor, None)
    corner = image.levels[level][rows, cols].compute(scheduler="synchronous")
    np.testing.assert_allclose(corner, expected, atol=1e-4)


def test_levels_beyond_4_are_nearly_means():
    image = landscape_image(Landscape(seed=4, size=(4096, 4096)))
    window = Window(512, 512, 512, 512)
    coarse, mean = image.read(window, 3).pixels, image.read(window).pixels
    for _ in range(3):
        mean = halve(mean)
    difference = np.abs(coarse - mean).mean(axis=(0, 1))
    assert (difference < (8, 8, 8, 0.1)).all()
    assert np.corrcoef(coarse[..., 1].ravel(), mean[..., 1].ravel())[0, 1] > 0.9


def test_a_file_opens_as_the_landscape_it_stands_for(tmp_path, image):
    opened = open_image(written(tmp_path))
    assert (opened.factors, opened.bands, opened.crs) == (image.factors, image.bands, image.crs)
    assert (opened.affine, opened.pixel_size) == (image.affine, image.pixel_size)
    assert opened.synthetic == "landscape, seed 4, scale 1"
    window = Window(-9, 200, 80, 70)
    np.testing.assert_array_equal(opened.read(window).pixels, image.read(window).pixels)
    assert not opened.read(window).valid[:9].any()


def test_nothing_is_written_for_the_largest_land(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_RELAY_HOME", str(tmp_path / "home"))
    path = written(tmp_path, Landscape(seed=1, size=(32768, 32768)))
    image = open_image(path, wait=False)
    assert image.build is None
    assert image.read(Window(30000, 30000, 9, 9)).valid.all()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    [
        b'{"seed": 1, "size": [9, 9]}',
        b'{"seed": -1, "size": [9, 9], "scale": 1}',
        b"II*\0 a picture",
        b"[" * 4000,
        b" " * 5000,
    ],
)
def test_a_damaged_file_is_named_in_one_sentence(tmp_path, content):
    path = tmp_path / "bad.landscape"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"bad\.landscape.*\.$") as caught:
        open_image(path)
    assert "\n" not in str(caught.value)


def test_an_empty_file_says_so(tmp_path):
    (tmp_path / "empty.landscape").touch()
    with pytest.raises(UserError, match=r"empty\.landscape is empty"):
        open_image(tmp_path / "empty.landscape")


def test_what_is_kept_of_a_landscape_is_found_again_wherever_it_lies(tmp_path):
    path = written(tmp_path)
    known = image_fingerprint(open_image(path))
    (tmp_path / "moved").mkdir()
    moved = shutil.move(path, tmp_path / "moved" / "renamed.landscape")
    assert image_fingerprint(open_image(moved)) == known
    retyped = tmp_path / "retyped.landscape"
    retyped.write_text('{"scale": 1,\n "seed": 4, "size": [1100, 1301]}')
    assert image_fingerprint(open_image(retyped)) == known
    others = [
        Landscape(5, LAND.size),
        Landscape(LAND.seed, LAND.size, 2.0),
        Landscape(LAND.seed, (1100, 1302)),
    ]
    prints = {image_fingerprint(open_image(written(tmp_path, land))) for land in others}
    assert len(prints - {known}) == len(others)


def test_two_landscapes_are_stacked_on_one_grid(tmp_path, image):
    stacked = open_stack([written(tmp_path), written(tmp_path, Landscape(5, LAND.size))])
    assert len(stacked.bands) == 8
    window = Window(100, 100, 40, 40)
    own = stacked.read(window).pixels
    np.testing.assert_array_equal(own[..., :4], image.read(window).pixels)


def test_the_sample_is_large_and_opens_at_once():
    image = open_image(sample_landscape())
    assert image.shape == (16384, 16384)
    assert image.synthetic is not None
    assert image.read(Window(8000, 8000, 20, 20)).valid.all()
