from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_relay.images import image_suffixes, open_image
from relay_tokens import UserError

PIXELS = np.random.default_rng(1).integers(0, 255, (1200, 1300, 3), dtype=np.uint8)


def refused(path: Path, *words: str) -> None:
    """Opening fails with one sentence that names the file and has these words."""
    with pytest.raises(UserError) as caught:
        open_image(path)
    message = str(caught.value)
    assert path.name in message
    assert "\n" not in message
    assert message.endswith(".")
    for word in words:
        assert word in message


def cut(path: Path, share: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])


def test_a_missing_file(tmp_path):
    refused(tmp_path / "none.tif", "does not exist")


@pytest.mark.parametrize("suffix", [".tif", ".png", ".jpg", ".svs", ".bmp"])
def test_a_text_file_with_the_name_of_an_image(tmp_path, suffix):
    (tmp_path / f"text{suffix}").write_text("a few lines of text\n" * 9)
    refused(tmp_path / f"text{suffix}", "not an image")


@pytest.mark.parametrize("suffix", [".tif", ".png", ".svs"])
def test_an_empty_file(tmp_path, suffix):
    (tmp_path / f"empty{suffix}").touch()
    refused(tmp_path / f"empty{suffix}", "empty")


def test_an_unknown_suffix_lists_what_can_be_opened(tmp_path):
    (tmp_path / "table.csv").write_text("1,2")
    refused(tmp_path / "table.csv", *image_suffixes())


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9, 0.999])
@pytest.mark.parametrize("options", [{}, {"tile": (256, 256), "compression": "zlib"}])
def test_a_tiff_that_was_cut_off(tmp_path, pyramids, share, options):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, PIXELS, photometric="rgb", **options)
    cut(path, share)
    refused(path, "cut off")
    assert not pyramids.exists()


def test_a_stack_with_tags_for_its_first_page_alone_that_was_cut_off(tmp_path):
    path = tmp_path / "stack.tif"
    stack = np.zeros((40, 100, 100), np.uint16)
    metadata = {"axes": "ZYX", "truncate": True}
    tifffile.imwrite(path, stack, photometric="minisblack", metadata=metadata)
    open_image(path)
    with path.open("r+b") as file:
        file.truncate(stack.nbytes // 2)
    refused(path, "cut off")


def test_a_tiff_whose_tags_were_cut_off(tmp_path):
    path = tmp_path / "cut.tif"
    with tifffile.TiffWriter(path) as writer:
        for _ in range(3):
            writer.write(PIXELS, photometric="rgb", compression="zlib", metadata=None)
    for size in (8, 10, 20, 100, 200):
        path.write_bytes(path.read_bytes()[:4] + (8).to_bytes(4, "little") + b"\x09\0" * size)
        refused(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_picture_that_was_cut_off(tmp_path, pyramids, suffix, share):
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(PIXELS).save(path)
    cut(path, share)
    refused(path, "cut off")
    assert not pyramids.exists()


def test_a_damaged_tile_is_found_while_levels_are_built(tmp_path, pyramids):
    path = tmp_path / "damaged.tif"
    tifffile.imwrite(path, PIXELS, tile=(256, 256), compression="zlib", photometric="rgb")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[0].dataoffsets[7]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 500)
    refused(path, "damaged")
    assert list(pyramids.iterdir()) == []


def test_complex_numbers(tmp_path):
    tifffile.imwrite(tmp_path / "complex.tif", np.zeros((9, 9), np.complex64))
    refused(tmp_path / "complex.tif", "complex64", "convert")


def test_a_cmyk_picture(tmp_path):
    Image.fromarray(PIXELS[:30, :30]).convert("CMYK").save(tmp_path / "print.jpg")
    refused(tmp_path / "print.jpg", "CMYK")


def test_a_slide_of_another_maker_names_what_helps(tmp_path):
    (tmp_path / "slide.mrxs").write_bytes(b"anything")
    refused(tmp_path / "slide.mrxs", "OME-TIFF")


def test_a_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "secret.tif"
    tifffile.imwrite(path, PIXELS[:9, :9], photometric="rgb")
    path.chmod(0)
    if os.geteuid() != 0:
        refused(path, "permissions")
        return
    # Only another user than root is kept out.
    os.seteuid(65534)
    try:
        refused(path, "permissions")
    finally:
        os.seteuid(0)
