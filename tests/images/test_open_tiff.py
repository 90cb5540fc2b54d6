from __future__ import annotations

import gc
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.geometry import Window
from napari_relay.images import open_image
from napari_relay.images.contiguous import ContiguousArray
from napari_relay.images.halving import halve
from napari_relay.images.limits import is_lazy
from napari_relay.images.tiff import open_tiff

SLIDE = Path(__file__).parents[2] / "napari_relay" / "sample_data" / "CMU-1-Small-Region.svs"


def pixels_of(path: Path) -> np.ndarray:
    return open_image(path).levels[0].compute(scheduler="synchronous")


def test_a_slide_opens_with_its_pixel_size_and_without_its_label(pyramids):
    image = open_image(SLIDE)
    assert (image.shape, image.bands) == ((2967, 2220), ("red", "green", "blue"))
    assert (image.pixel_size, image.unit) == ((0.499, 0.499), "um")
    assert image.factors == (1.0, 2.0, 4.0)
    np.testing.assert_array_equal(
        image.levels[0].compute(scheduler="synchronous"), tifffile.imread(SLIDE, key=0)
    )


@pytest.mark.parametrize("bigtiff", [False, True])
@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "jpeg"])
@pytest.mark.parametrize("tile", [None, (64, 48)])
def test_rgb_pixels_are_those_of_tifffile(tmp_path, rng, bigtiff, compression, tile):
    path = tmp_path / "rgb.tif"
    pixels = rng.integers(0, 255, (130, 170, 3), dtype=np.uint8)
    tifffile.imwrite(
        path, pixels, bigtiff=bigtiff, compression=compression, tile=tile, photometric="rgb"
    )
    np.testing.assert_array_equal(pixels_of(path), tifffile.imread(path))
    assert open_image(path).bands == ("red", "green", "blue")


@pytest.mark.parametrize("compression", ["zstd", "jpeg2000", "webp", "jpegxl", "lerc", "packbits"])
def test_further_compressions_are_those_of_tifffile(tmp_path, rng, compression):
    path = tmp_path / "rgb.tif"
    pixels = rng.integers(0, 255, (130, 170, 3), dtype=np.uint8)
    tifffile.imwrite(path, pixels, compression=compression, tile=(64, 48), photometric="rgb")
    np.testing.assert_array_equal(pixels_of(path), tifffile.imread(path))


@pytest.mark.parametrize("shape", [(3, 130, 170), (130, 170, 3), (4, 3, 30, 40), (2, 30, 40, 3)])
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_windows_of_an_uncompressed_file_are_read_from_its_bytes(tmp_path, rng, shape, byteorder):
    path = tmp_path / "plain.tif"
    pixels = rng.integers(0, 9999, shape, dtype=np.uint16)
    options = {"photometric": "rgb" if shape[-1] == 3 else "minisblack", "byteorder": byteorder}
    planar = {"planarconfig": "separate"} if shape == (3, 130, 170) else {}
    axes = {(4, 3, 30, 40): "ZCYX", (2, 30, 40, 3): "ZYXS"}.get(shape)
    metadata = {"axes": axes} if axes else {}
    tifffile.imwrite(path, pixels, metadata=metadata, **options, **planar)
    image = open_image(path)
    first = pixels[0] if axes else pixels
    expected = first if shape[-1] == 3 else np.moveaxis(first, 0, 2)
    assert isinstance(open_tiff(path).arrays[0].array, ContiguousArray)
    for window in (image.window, Window(3, 5, 20, 30), Window(0, 0, 1, 1), Window(7, 0, 9, 40)):
        rows = slice(window.y0, window.y0 + window.height)
        cols = slice(window.x0, window.x0 + window.width)
        np.testing.assert_array_equal(image.read(window).pixels, expected[rows, cols])


def test_strips_that_a_window_would_decode_in_vain_are_copied_once(tmp_path):
    assert is_lazy((4096, 8192, 3), (256, 256), 256 * 256 * 3)
    assert is_lazy((4096, 8192, 3), (1, 8192), 8192 * 3)
    assert not is_lazy((4096, 131072, 3), (1, 131072), 131072 * 3)
    assert not is_lazy((8192, 8192, 3), (8192, 8192), 8192 * 8192 * 3)


@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "u4", "f2", ">f4", "f8", "i8"])
def test_every_real_data_type_comes_in_native_byte_order(tmp_path, rng, dtype):
    path = tmp_path / "grey.tif"
    pixels = (rng.random((40, 50)) * 100).astype(dtype)
    tifffile.imwrite(path, pixels, byteorder=">" if ">" in dtype else "<")
    image = open_image(path)
    assert image.dtype.isnative
    assert image.bands == ("intensity",)
    np.testing.assert_array_equal(pixels_of(path)[..., 0], pixels)


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((60, 50, 5), {"planarconfig": "contig"}),
        ((5, 60, 50), {"planarconfig": "separate"}),
        ((5, 60, 50), {}),
        ((5, 60, 50), {"metadata": None}),
    ],
    ids=["interleaved", "planar", "pages with shape", "bare pages"],
)
def test_any_number_of_bands_in_any_layout(tmp_path, rng, shape, options):
    path = tmp_path / "bands.tif"
    pixels = rng.integers(0, 9999, shape, dtype=np.uint16)
    tifffile.imwrite(path, pixels, photometric="minisblack", tile=(32, 32), **options)
    image = open_image(path)
    expected = pixels if shape[2] == 5 else np.moveaxis(pixels, 0, 2)
    assert image.bands == ("band 1", "band 2", "band 3", "band 4", "band 5")
    np.testing.assert_array_equal(pixels_of(path), expected)


def test_opacity_is_dropped_but_a_fourth_band_is_kept(tmp_path, rng):
    pixels = rng.integers(0, 255, (30, 40, 4), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", extrasamples=["unassalpha"])
    tifffile.imwrite(tmp_path / "b.tif", pixels, photometric="rgb", extrasamples=["unspecified"])
    assert open_image(tmp_path / "a.tif").bands == ("red", "green", "blue")
    assert open_image(tmp_path / "b.tif").bands == ("red", "green", "blue", "band 4")
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.tif"), pixels[..., :3])
    np.testing.assert_array_equal(pixels_of(tmp_path / "b.tif"), pixels)


def test_colour_indices_become_their_colours(tmp_path, rng):
    path = tmp_path / "palette.tif"
    colours = rng.integers(0, 65535, (3, 256), dtype=np.uint16)
    indices = rng.integers(0, 255, (30, 40), dtype=np.uint8)
    tifffile.imwrite(path, indices, photometric="palette", colormap=colours)
    np.testing.assert_array_equal(pixels_of(path), (colours.T >> 8)[indices])


def test_black_and_white_becomes_0_and_255(tmp_path, rng):
    path = tmp_path / "bits.tif"
    bits = rng.random((30, 41)) > 0.5
    tifffile.imwrite(path, bits)
    np.testing.assert_array_equal(pixels_of(path)[..., 0], bits * 255)


def test_ome_tiff_takes_the_first_time_and_depth_and_names_its_channels(tmp_path, rng):
    path = tmp_path / "stack.ome.tif"
    pixels = rng.integers(0, 9999, (2, 3, 4, 30, 40), dtype=np.uint16)
    metadata = {
        "axes": "TCZYX",
        "PhysicalSizeX": 0.25,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 500,
        "PhysicalSizeYUnit": "nm",
        "Channel": {"Name": ["DAPI", "CD3", "CD8"]},
    }
    tifffile.imwrite(path, pixels, photometric="minisblack", metadata=metadata)
    image = open_image(path)
    assert image.bands == ("DAPI", "CD3", "CD8")
    assert (image.pixel_size, image.unit) == ((0.5, 0.25), "um")
    np.testing.assert_array_equal(pixels_of(path), np.moveaxis(pixels[0, :, 0], 0, 2))


def test_levels_in_subifds_are_used(tmp_path, rng, pyramids):
    path = tmp_path / "levels.ome.tif"
    pixels = rng.integers(0, 9999, (2, 1200, 1300), dtype=np.uint16)
    with tifffile.TiffWriter(path) as writer:
        options = {"photometric": "minisblack", "tile": (256, 256)}
        writer.write(pixels, subifds=1, metadata={"axes": "CYX"}, **options)
        writer.write(pixels[:, ::2, ::2], subfiletype=1, **options)
    image = open_image(path)
    assert image.factors == (1.0, 2.0)
    assert not pyramids.exists()
    np.testing.assert_array_equal(
        image.levels[1].compute(scheduler="synchronous"), np.moveaxis(pixels, 0, 2)[::2, ::2]
    )


def test_levels_in_pages_are_used_and_a_mask_is_not(tmp_path, rng, pyramids):
    path = tmp_path / "overviews.tif"
    pixels = rng.integers(0, 255, (1601, 1700, 3), dtype=np.uint8)
    with tifffile.TiffWriter(path) as writer:
        options = {"tile": (64, 64), "metadata": None}
        for step in (1, 4):
            kind = int(step > 1)
            part = pixels[::step, ::step]
            writer.write(part, subfiletype=kind, photometric="rgb", **options)
            mask = np.ones(part.shape[:2], bool)
            writer.write(mask, subfiletype=kind | 4, photometric="mask", **options)
    image = open_image(path)
    assert image.factors == (1.0, 4.0)
    assert not pyramids.exists()
    np.testing.assert_array_equal(image.levels[1].compute(), pixels[::4, ::4])


def test_only_gaps_between_levels_are_filled(tmp_path, rng):
    path = tmp_path / "gap.ome.tif"
    pixels = rng.integers(0, 255, (1601, 1700), dtype=np.uint8)
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, subifds=1, tile=(64, 64))
        writer.write(pixels[::16, ::16], subfiletype=1, tile=(64, 64))
    image = open_image(path)
    assert image.factors == (1.0, 2.0, 4.0, 8.0, 16.0)
    assert [level.shape[:2] for level in image.levels[1:4]] == [(801, 850), (401, 425), (201, 213)]
    coarsest = image.levels[4].compute(scheduler="synchronous")[..., 0]
    np.testing.assert_array_equal(coarsest, pixels[::16, ::16])


def test_a_coarse_end_is_added_to_the_levels_of_the_file(tmp_path, rng, pyramids):
    path = tmp_path / "end.ome.tif"
    pixels = rng.integers(0, 255, (9, 4500), dtype=np.uint8)
    with tifffile.TiffWriter(path) as writer:
        writer.write(pixels, subifds=1, tile=(64, 64))
        writer.write(pixels[::2, ::2], subfiletype=1, tile=(64, 64))
    image = open_image(path)
    assert image.factors == (1.0, 2.0, 4.0, 8.0)
    assert sorted(p.name for p in next(pyramids.iterdir()).iterdir() if p.is_dir()) == ["4", "8"]
    half = pixels[::2, ::2, None]
    np.testing.assert_array_equal(image.levels[2].compute(), halve(half))


def test_resolution_tags_count_only_when_a_microscope_could_have_written_them(tmp_path):
    for dots, name in ((20000.0, "scan"), (118.0, "print")):
        tifffile.imwrite(
            tmp_path / f"{name}.tif",
            np.zeros((9, 9), np.uint8),
            resolution=(dots, dots),
            resolutionunit="CENTIMETER",
        )
    scan, print_ = open_image(tmp_path / "scan.tif"), open_image(tmp_path / "print.tif")
    assert scan.pixel_size == pytest.approx((0.5, 0.5))
    assert (scan.unit, print_.pixel_size, print_.unit) == ("um", None, None)


@pytest.mark.parametrize("size", ["0", "-0.5", "nan", "inf", "1e30", "wide"])
def test_an_absurd_pixel_size_is_an_unknown_one(tmp_path, size):
    scan, slide = tmp_path / "a.ome.tif", tmp_path / "a.svs"
    pixels = np.zeros((9, 9, 3), np.uint8)
    tifffile.imwrite(scan, pixels, photometric="rgb", metadata={"PhysicalSizeX": 123.5})
    scan.write_bytes(scan.read_bytes().replace(b"123.5", f"{size:<5}".encode()))
    tifffile.imwrite(slide, pixels, description=f"Aperio Image Library|MPP = {size}")
    for path in (scan, slide):
        image = open_image(path)
        assert (image.pixel_size, image.unit) == (None, None)


def test_a_pixel_size_that_the_file_lacks_can_be_given(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((9, 9), np.uint8))
    image = open_image(path, pixel_size=0.5, unit="m")
    assert (image.pixel_size, image.unit) == ((0.5, 0.5), "m")


def test_imagej_units_are_read(tmp_path):
    path = tmp_path / "imagej.tif"
    pixels = np.arange(2 * 3 * 20 * 30, dtype=np.uint16).reshape(2, 3, 20, 30)
    metadata = {"axes": "ZCYX", "unit": "micron"}
    tifffile.imwrite(path, pixels, imagej=True, metadata=metadata, resolution=(4, 2))
    image = open_image(path)
    assert (image.pixel_size, image.unit) == ((0.5, 0.25), "um")
    np.testing.assert_array_equal(pixels_of(path), np.moveaxis(pixels[0], 0, 2))


def test_one_pixel_is_an_image(tmp_path):
    path = tmp_path / "one.tif"
    tifffile.imwrite(path, np.full((1, 1, 3), 7, np.uint8), photometric="rgb")
    image = open_image(path)
    patch = image.read(image.window.expanded(1))
    assert image.shape == (1, 1)
    np.testing.assert_array_equal(patch.pixels, np.full((3, 3, 3), 7))
    assert patch.valid.sum() == 1


def test_the_file_is_closed_with_its_last_level(tmp_path):
    path = tmp_path / "closed.tif"
    tifffile.imwrite(path, np.zeros((20, 20), np.uint8))
    descriptors = Path("/proc/self/fd")
    if not descriptors.is_dir():
        pytest.skip("open files are only listed on Linux")
    image = open_image(path)

    def is_open() -> bool:
        return any(link.exists() and link.resolve() == path for link in descriptors.iterdir())

    assert is_open()
    del image
    gc.collect()
    assert not is_open()
