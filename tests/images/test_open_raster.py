from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage import io

from napari_relay.images import open_image


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".jpeg", ".bmp"])
@pytest.mark.parametrize("size", [(90, 70), (1300, 1100), (1, 1)])
def test_pixels_are_those_of_scikit_image(tmp_path, rng, suffix, size):
    path = tmp_path / f"picture{suffix}"
    Image.fromarray(rng.integers(0, 255, (*size, 3), dtype=np.uint8)).save(path)
    image = open_image(path)
    assert (image.shape, image.bands) == (size, ("red", "green", "blue"))
    np.testing.assert_array_equal(image.read(image.window).pixels, io.imread(path))


@pytest.mark.parametrize(
    ("mode", "bands"), [("L", 1), ("LA", 1), ("RGBA", 3), ("P", 3), ("1", 1), ("I;16", 1)]
)
def test_every_kind_of_png_opens_without_opacity(tmp_path, rng, mode, bands):
    path = tmp_path / "picture.png"
    grey = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
    picture = Image.fromarray(grey if mode != "I;16" else grey[..., 0].astype(np.uint16) * 250)
    (picture if mode == "I;16" else picture.convert(mode)).save(path)
    image = open_image(path)
    wanted = {"P": "RGB", "RGBA": "RGB", "LA": "L", "1": "L"}.get(mode)
    with Image.open(path) as again:
        expected = np.asarray(again.convert(wanted) if wanted else again)
    pixels = image.read(image.window).pixels
    assert pixels.shape == (30, 40, bands)
    np.testing.assert_array_equal(pixels, expected.reshape(30, 40, bands))


def test_a_wrong_suffix_does_not_matter(tmp_path, rng):
    pixels = rng.integers(0, 255, (30, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "picture.jpg", format="PNG")
    np.testing.assert_array_equal(open_image(tmp_path / "picture.jpg").levels[0], pixels)


def test_progress_counts_up_to_the_end(tmp_path, rng):
    path = tmp_path / "picture.png"
    Image.fromarray(rng.integers(0, 255, (1100, 1200), dtype=np.uint8)).save(path)
    steps: list[tuple[int, int]] = []
    first = open_image(path, progress=lambda done, total: steps.append((done, total)))
    assert first.factors == (1.0, 2.0)
    assert steps == [(k + 1, len(steps)) for k in range(len(steps))]


def test_reopening_a_large_picture_needs_no_decoding(tmp_path, rng, pyramids):
    path = tmp_path / "picture.jpg"
    Image.fromarray(rng.integers(0, 255, (1100, 1200, 3), dtype=np.uint8)).save(path)
    first = open_image(path)
    again = open_image(path, progress=lambda done, total: pytest.fail("built anew"))
    assert (again.bands, again.factors, again.source) == (first.bands, first.factors, path)
    for one, other in zip(first.levels, again.levels, strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(list(pyramids.iterdir())) == 1
