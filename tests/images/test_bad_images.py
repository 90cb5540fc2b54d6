from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_relay.geometry import Window
from napari_relay.images import image_suffixes, open_image
from napari_relay.images.pixel_file import PixelFile
from relay_tokens import UserError

SLIDE = Path(__file__).parents[2] / "napari_relay" / "sample_data" / "CMU-1-Small-Region.svs"
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


SMALL = PIXELS[:900, :1000]
LAYOUTS = {
    "one run": {},
    "strips": {"rowsperstrip": 16, "compression": "lzw"},
    "tiles": {"tile": (64, 64), "compression": "zlib"},
    "jpeg tiles": {"tile": (64, 64), "compression": "jpeg"},
    "planes": {"tile": (64, 64), "planarconfig": "separate", "compression": "zlib"},
}


@pytest.mark.parametrize("share", [0.3, 0.9, 0.999])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_what_is_left_of_a_tiff_that_was_cut_off_is_read(tmp_path, share, layout):
    path = tmp_path / "cut.tif"
    pixels = np.moveaxis(SMALL, 2, 0) if layout == "planes" else SMALL
    tifffile.imwrite(path, pixels, photometric="rgb", **LAYOUTS[layout])
    whole = tifffile.imread(path)
    whole = np.moveaxis(whole, 0, 2) if layout == "planes" else whole
    cut(path, share)
    image = open_image(path)
    (note,) = image.notes
    assert note.startswith("cut.tif is cut off: ")
    assert note.endswith("of its pixels are missing; copy it again.")
    if layout == "planes" and share < 0.9:  # every pixel lacks a band
        with pytest.raises(UserError, match=r"cut\.tif is damaged"):
            image.read(image.window)
        return
    found = image.read(image.window)
    np.testing.assert_array_equal(found.pixels[found.valid], whole[found.valid])
    assert 0 < found.valid.mean() < 1
    assert image.damage.count > 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tiff_of_which_only_the_tags_are_left(tmp_path, pyramids, layout):
    path = tmp_path / "cut.tif"
    pixels = np.moveaxis(SMALL, 2, 0) if layout == "planes" else SMALL
    tifffile.imwrite(path, pixels, photometric="rgb", **LAYOUTS[layout])
    with tifffile.TiffFile(path) as tif:
        start = min(tif.pages[0].dataoffsets)
    with path.open("r+b") as file:
        file.truncate(start)
    refused(path, "cut off", "copy it again")
    assert not pyramids.exists()


def test_a_stack_with_tags_for_its_first_page_alone_that_was_cut_off(tmp_path):
    path = tmp_path / "stack.tif"
    stack = np.random.default_rng(2).integers(0, 9999, (40, 100, 100), dtype=np.uint16)
    metadata = {"axes": "ZYX", "truncate": True}
    tifffile.imwrite(path, stack, photometric="minisblack", metadata=metadata)
    with path.open("r+b") as file:
        file.truncate(stack.nbytes // 2)
    image = open_image(path)
    assert "50% of its pixels are missing" in image.notes[0]
    np.testing.assert_array_equal(image.read(image.window).pixels[..., 0], stack[0])


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_a_slide_that_was_cut_off_before_its_tags_says_so(tmp_path, share):
    path = tmp_path / "cut.svs"
    path.write_bytes(SLIDE.read_bytes())
    cut(path, share)
    refused(path, "cut off", "copy it again")


def test_a_slide_that_lost_its_smaller_images_opens_and_says_so(tmp_path):
    path = tmp_path / "cut.svs"
    path.write_bytes(SLIDE.read_bytes())
    cut(path, 0.9)
    image = open_image(path)
    assert image.shape == open_image(SLIDE).shape
    assert image.notes == (
        "cut.svs is cut off: smaller images at its end are missing; copy it again.",
    )


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


def test_a_damaged_tile_has_no_data_at_any_level(tmp_path):
    path = tmp_path / "damaged.tif"
    tifffile.imwrite(path, PIXELS, tile=(256, 256), compression="zlib", photometric="rgb")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[0].dataoffsets[7]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 500)
    image = open_image(path)
    found = image.read(image.window)
    missing = np.zeros(PIXELS.shape[:2], bool)
    missing[256:512, 256:512] = True
    np.testing.assert_array_equal(found.valid, ~missing)
    np.testing.assert_array_equal(found.pixels[~missing], PIXELS[~missing])
    assert image.damage.sentence is not None
    assert "damaged.tif is damaged around row 256, column 256" in image.damage.sentence


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


def test_a_size_that_cannot_be_is_refused_before_memory_is_reserved(tmp_path):
    path = tmp_path / "claim.png"
    Image.fromarray(PIXELS[:20, :20]).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = b"\x7f\xff\xff\xff\x00\x0f\xff\xff"
    path.write_bytes(content)
    refused(path, "2147483647", "cannot be")


def test_a_tiff_whose_size_does_not_fit_its_list_of_tiles(tmp_path):
    path = tmp_path / "claim.tif"
    options = {"tile": (64, 64), "photometric": "rgb", "compression": "zlib"}
    tifffile.imwrite(path, PIXELS[:200, :200], metadata=None, **options)
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages[0].tags["ImageLength"].overwrite(60000)
    refused(path, "lists 16 of 3752 pieces")


def test_a_file_in_one_strip_that_stands_for_more_than_it_holds(tmp_path):
    path = tmp_path / "claim.tif"
    tifffile.imwrite(path, PIXELS[:20, :20], photometric="rgb", compression="zlib")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        for name in ("ImageLength", "ImageWidth"):
            tif.pages[0].tags[name].overwrite(60000)
        tif.pages[0].tags["RowsPerStrip"].overwrite(60000)
    refused(path, "cannot be")


def test_a_compression_that_nobody_knows(tmp_path):
    path = tmp_path / "odd.tif"
    tifffile.imwrite(path, PIXELS[:20, :20], photometric="rgb")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages[0].tags["Compression"].overwrite(31999)
    refused(path)


def test_a_byte_count_that_is_damaged_reserves_no_memory(tmp_path):
    path = tmp_path / "claim.bin"
    path.write_bytes(b"0123456789")
    with PixelFile(path) as file:
        assert file.read(20) == b"0123456789"
        file.strict = True
        file.seek(4)
        assert file.read(6) == b"456789"
        file.seek(4)
        with pytest.raises(EOFError, match="6 left"):
            file.read(2**60)


def test_a_jpeg_tile_that_was_cut_off_is_not_taken_for_grey(tmp_path):
    path = tmp_path / "cut.tif"
    tifffile.imwrite(path, SMALL, photometric="rgb", tile=(512, 512), compression="jpeg")
    with tifffile.TiffFile(path) as tif:
        page = tif.pages[0]
        middle = page.dataoffsets[3] + page.databytecounts[3] // 2
    with path.open("r+b") as file:
        file.truncate(middle)
    image = open_image(path)
    assert not image.read(Window(512, 512, 388, 488)).valid.any()
    assert image.read(Window(0, 0, 512, 512)).valid.all()
