from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
import tifffile
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit

from napari_relay.images import open_image
from napari_relay.images.slide import open_slide
from relay_tokens import UserError
from tests.images.slides import frames, write_dicom, write_mrxs

SVS = Path(__file__).parents[2] / "napari_relay" / "sample_data" / "CMU-1-Small-Region.svs"


def jpeg(tile: np.ndarray) -> bytes:
    return imagecodecs.jpeg8_encode(tile, level=90, colorspace="RGB", outcolorspace="RGB")


def jpeg2000(tile: np.ndarray) -> bytes:
    return imagecodecs.jpeg2k_encode(tile, codecformat="j2k", level=0, reversible=True)


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 255, (300, 500, 3), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path, pixels) -> Path:
    """A slide of two levels in DICOM."""
    folder = tmp_path / "slide"
    folder.mkdir()
    write_dicom(folder / "0.dcm", pixels)
    write_dicom(folder / "1.dcm", pixels[::2, ::2], spacing=(0.001, 0.0005), kind="RESAMPLED")
    return folder


@pytest.mark.parametrize("chosen", [".", "0.dcm", "1.dcm"])
def test_a_dicom_slide_opens_by_its_folder_or_any_of_its_files(folder, pixels, chosen):
    image = open_image(folder / chosen)
    assert (image.factors, image.bands) == ((1.0, 2.0), ("red", "green", "blue"))
    assert (image.pixel_size, image.unit) == ((0.5, 0.25), "um")
    np.testing.assert_array_equal(image.read(image.window).pixels, pixels)
    np.testing.assert_array_equal(image.read(image.window, 1).pixels, pixels[::2, ::2])


def test_tiles_of_dicom_are_those_that_pydicom_decodes(folder):
    image = open_image(folder)
    stored = pydicom.dcmread(folder / "0.dcm").pixel_array
    for number, tile in enumerate(stored):
        row, col = 64 * (number // 8), 64 * (number % 8)
        found = image.arrays[0][row : min(row + 64, 300), col : min(col + 64, 500), 0:3]
        np.testing.assert_array_equal(found, tile[: found.shape[0], : found.shape[1]])


@pytest.mark.parametrize(
    ("encode", "decode", "syntax"),
    [
        (jpeg, imagecodecs.jpeg8_decode, JPEGBaseline8Bit),
        (jpeg2000, imagecodecs.jpeg2k_decode, JPEG2000Lossless),
    ],
    ids=["jpeg", "jpeg 2000"],
)
def test_compressed_dicom_is_what_imagecodecs_decodes(tmp_path, pixels, encode, decode, syntax):
    path = tmp_path / "slide.dcm"
    write_dicom(path, pixels, encode=encode, syntax=syntax)
    expected = decode(encode(frames(pixels, 64)[9]))
    np.testing.assert_array_equal(open_image(path).arrays[0][64:128, 64:128, 0:3], expected)


def test_a_slide_without_pixel_size_opens_and_takes_one(tmp_path, pixels):
    path = tmp_path / "slide.dcm"
    write_dicom(path, pixels, spacing=None)
    assert (open_image(path).pixel_size, open_image(path).unit) == (None, None)
    given = open_image(path, pixel_size=0.5)
    assert (given.pixel_size, given.unit) == ((0.5, 0.5), "um")


def test_a_pixel_size_of_the_slide_itself_is_kept(folder):
    assert open_image(folder, pixel_size=9.0).pixel_size == (0.5, 0.25)


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), float("inf"), 1e30])
def test_a_pixel_size_that_cannot_be_is_refused(tmp_path, pixels, size):
    write_dicom(tmp_path / "slide.dcm", pixels, spacing=None)
    with pytest.raises(UserError, match=r"slide\.dcm .* positive pixel size\.$"):
        open_image(tmp_path / "slide.dcm", pixel_size=size)


def test_threads_read_the_same_as_one(folder, pixels):
    level = open_slide(folder).arrays[0]
    corners = [(y, x) for y in range(0, 240, 30) for x in range(0, 440, 40)]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda c: level[c[0] : c[0] + 60, c[1] : c[1] + 60, 0:3], corners))
    for (y, x), one in zip(corners, found, strict=True):
        np.testing.assert_array_equal(one, pixels[y : y + 60, x : x + 60])


def test_a_level_of_odd_factor_is_read_without_interpolation(tmp_path, rng):
    pixels = rng.integers(0, 255, (303, 505, 3), dtype=np.uint8)
    coarse = pixels[::4, ::4][:75, :126]
    write_dicom(tmp_path / "0.dcm", pixels)
    write_dicom(tmp_path / "1.dcm", coarse, spacing=(0.002, 0.001), kind="RESAMPLED")
    source = open_slide(tmp_path)
    level = source.arrays[1]
    assert source.factors == (1.0, 4.0)
    for y, x in ((0, 0), (1, 1), (10, 33), (40, 90), (60, 100)):
        found = level[y : y + 10, x : x + 20, 0:3]
        np.testing.assert_array_equal(found, coarse[y : y + 10, x : x + 20])


def test_openslide_and_tifffile_read_the_same_pixels_of_an_svs():
    level = open_slide(SVS).arrays[0]
    rows, cols = slice(700, 1300), slice(900, 1700)
    expected = tifffile.imread(SVS, key=0)[rows, cols]
    np.testing.assert_array_equal(level[rows, cols, 0:3], expected)


def test_a_damaged_tile_does_not_spoil_the_others(tmp_path, pixels):
    path = tmp_path / "slide.dcm"
    write_dicom(path, pixels, encode=jpeg2000, syntax=JPEG2000Lossless)
    content = bytearray(path.read_bytes())
    start = content.find(b"\xff\x4f\xff\x51", content.find(b"\xff\x4f\xff\x51") + 4)
    content[start : start + 200] = bytes(200)
    path.write_bytes(content)
    level = open_slide(path).arrays[0]
    with pytest.raises(UserError, match=r"slide\.dcm is damaged around row 0, column 64"):
        level[0:64, 64:128, 0:3]
    np.testing.assert_array_equal(level[0:64, 0:64, 0:3], pixels[:64, :64])


def test_an_mrxs_slide_is_read_on_its_background(tmp_path, pixels):
    path = tmp_path / "slide.mrxs"
    pixels = pixels[:256, :448]
    write_mrxs(path, pixels, tile=64, left_out=(1, 2), background=(30, 20, 10))
    image = open_image(path)
    tiles = frames(pixels, 64)
    decoded = [imagecodecs.jpeg8_decode(jpeg(tile)) for tile in tiles]
    found = image.read(image.window).pixels
    assert image.pixel_size == (0.25, 0.25)
    np.testing.assert_array_equal(found[:64, :64], decoded[0])
    np.testing.assert_array_equal(found[192:256, 384:448], decoded[27])
    assert (found[64:128, 128:192] == (30, 20, 10)).all()


def test_a_slide_without_openslide_names_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "slide.mrxs").write_bytes(b"anything")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'slide\.mrxs .* pip install "napari-relay\[slides\]"'):
        open_image(tmp_path / "slide.mrxs")


def test_a_file_that_is_no_slide_is_named(tmp_path):
    (tmp_path / "slide.mrxs").write_bytes(b"anything")
    (tmp_path / "cut.dcm").write_bytes(bytes(128) + b"DICM")
    for name in ("slide.mrxs", "cut.dcm"):
        with pytest.raises(UserError, match=name):
            open_image(tmp_path / name)
