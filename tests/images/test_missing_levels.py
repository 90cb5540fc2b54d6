from __future__ import annotations

import errno
import math
import shutil
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.images import building, level_folder, levels_plan, open_image
from napari_relay.images.cache import built, with_all_levels
from napari_relay.images.halving import halve
from napari_relay.images.levels_plan import Block, missing_chains
from napari_relay.images.raster import DecodedPixels
from napari_relay.images.source import ImageSource
from relay_tokens import UserError


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 255, (2301, 1203, 3), dtype=np.uint8)


@pytest.fixture
def large(tmp_path: Path, pixels) -> Path:
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb", compression="zlib")
    return path


@pytest.fixture
def small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(levels_plan, "BLOCK_BYTES", 3 * 512**2)


def halved(pixels: np.ndarray, times: int) -> np.ndarray:
    for _ in range(times):
        pixels = halve(pixels)
    return pixels


@pytest.mark.parametrize("rows_per_strip", [None, 1, 37])
def test_each_level_is_the_area_mean_of_the_one_before(
    tmp_path, pixels, small_blocks, rows_per_strip
):
    layout = {"rowsperstrip": rows_per_strip} if rows_per_strip else {"tile": (240, 240)}
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", compression="zlib", **layout)
    seen = []
    image = open_image(path, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) > 8  # seams would show
    assert seen[-1] == (len(seen), len(seen))
    assert image.factors == (1.0, 2.0, 4.0)
    for k, level in enumerate(image.levels):
        np.testing.assert_array_equal(level.compute(), halved(pixels, k))


def test_levels_are_built_once_and_anew_when_the_file_changes(large, pixels, pyramids):
    open_image(large)
    open_image(large, progress=lambda done, total: pytest.fail("built anew"))
    (first,) = pyramids.glob("*.zarr")
    tifffile.imwrite(large, 255 - pixels, photometric="rgb")
    image = open_image(large)
    np.testing.assert_array_equal(image.levels[1].compute(), halve(255 - pixels))
    (second,) = pyramids.glob("*.zarr")
    assert first != second


def test_a_small_image_needs_no_levels(tmp_path, pyramids):
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((1024, 1024), np.uint8))
    assert open_image(tmp_path / "small.tif").factors == (1.0,)
    assert not pyramids.exists()


def test_levels_are_valid_ome_zarr_with_the_place_of_their_pixels(large, pyramids):
    open_image(large)
    (folder,) = pyramids.glob("*.zarr")
    assert sorted(p.name for p in folder.iterdir()) == ["2", "4", "zarr.json"]
    ome = zarr.open_group(folder, mode="r").attrs["ome"]
    assert ome["version"] == "0.5"
    (multiscale,) = ome["multiscales"]
    assert [axis["name"] for axis in multiscale["axes"]] == ["c", "y", "x"]
    half = multiscale["datasets"][0]["coordinateTransformations"]
    assert half == [
        {"type": "scale", "scale": [1.0, 2.0, 2.0]},
        {"type": "translation", "translation": [0.0, 0.5, 0.5]},
    ]


def test_a_file_with_some_levels_gets_those_in_between(tmp_path, rng):
    (tmp_path / "gap").touch()
    pixels = rng.integers(0, 255, (20480, 1100, 1), dtype=np.uint8)
    arrays = DecodedPixels(pixels), DecodedPixels(halved(pixels, 4))
    source = ImageSource(tmp_path / "gap", arrays, ((512, 512),) * 2, (1.0, 16.0), ("a",))
    image = built(with_all_levels(source)).image()
    assert image.factors == (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
    for k, level in enumerate(image.levels):
        np.testing.assert_array_equal(level.compute(), halved(pixels, k))


def test_a_level_missing_from_the_cache_is_built_again(large, pixels, pyramids):
    open_image(large)
    (whole,) = pyramids.glob("*.zarr")
    shutil.rmtree(whole / "4")
    image = open_image(large)
    np.testing.assert_array_equal(image.levels[2].compute(), halve(halve(pixels)))


def test_two_threads_may_open_the_same_new_file(large, pyramids):
    with ThreadPoolExecutor(2) as pool:
        images = list(pool.map(open_image, [large, large]))
    np.testing.assert_array_equal(images[0].levels[2], images[1].levels[2])
    assert len(list(pyramids.glob("*.zarr"))) == 1


def test_a_file_in_one_large_piece_is_copied_in_tiles(tmp_path, pixels, monkeypatch):
    path = tmp_path / "strip.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", rowsperstrip=2000, compression="zlib")
    monkeypatch.setattr("napari_relay.images.limits.LAZY_CHUNK_BYTES", 10**6)
    image = open_image(path)
    assert image.levels[0].chunksize[:2] == (512, 512)
    np.testing.assert_array_equal(image.levels[0].compute(scheduler="synchronous"), pixels)
    np.testing.assert_array_equal(image.levels[1].compute(scheduler="synchronous"), halve(pixels))


def test_a_full_disk_is_found_before_the_build(large, pyramids, monkeypatch):
    usage = namedtuple("usage", "total used free")(10**6, 10**6, 0)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage)
    with pytest.raises(UserError, match=r"large\.tif needs .* MB .*NAPARI_RELAY_HOME") as caught:
        open_image(large)
    assert str(pyramids) in str(caught.value)
    assert not pyramids.exists()


def test_a_disk_that_fills_up_meanwhile_keeps_what_is_built(
    large, pixels, small_blocks, monkeypatch
):
    calls, real = [], building._flush

    def full(path: Path) -> None:
        calls.append(path)
        if len(calls) > 8:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path)

    monkeypatch.setattr(building, "_flush", full)
    with pytest.raises(UserError, match="NAPARI_RELAY_HOME"):
        open_image(large)
    monkeypatch.setattr(building, "_flush", real)
    seen = []
    image = open_image(large, progress=lambda done, total: seen.append((done, total)))
    assert len(seen) < seen[-1][1]
    np.testing.assert_array_equal(image.levels[2].compute(), halved(pixels, 2))


def test_a_cache_that_cannot_be_made_is_named(large, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_RELAY_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot be written to.*NAPARI_RELAY_HOME"):
        open_image(large)


def test_a_damaged_tile_is_left_out_of_the_levels_and_known_for_ever(tmp_path, rng):
    path, pixels = tmp_path / "damaged.tif", rng.integers(1, 255, (1200, 1300), dtype=np.uint8)
    tifffile.imwrite(path, pixels, tile=(256, 256), compression="zlib")
    with tifffile.TiffFile(path) as tif:
        offset = tif.pages[0].dataoffsets[7]
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(b"\xff" * 500)
    for _ in range(2):
        image = open_image(path)
        (chunk,) = image.damage.chunks
        assert chunk.window == (256, 256, 256, 256)
        for level in (0, 1):
            patch = image.read(image.window, level)
            side = 256 >> level
            hole = np.zeros(patch.valid.shape, bool)
            hole[side : 2 * side, side : 2 * side] = True
            np.testing.assert_array_equal(patch.valid, ~hole)
            assert not patch.pixels[hole].any()
            np.testing.assert_array_equal(
                patch.pixels[~hole], halved(pixels[..., None], level)[~hole]
            )
        assert image.damage.count == 1


def test_a_file_that_changes_while_levels_are_built_is_named(large, pixels, small_blocks):
    def change(done: int, total: int) -> None:
        if done == 1:
            large.touch()

    with pytest.raises(UserError, match=r"large\.tif changed"):
        open_image(large, progress=change)
    np.testing.assert_array_equal(open_image(large).levels[1].compute(), halve(pixels))


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(1, 9000),
    cols=st.integers(1025, 9000),
    chunk=st.tuples(st.integers(1, 700), st.integers(1, 9000)),
    lazy=st.booleans(),
)
def test_blocks_cover_every_level_once_and_share_no_pixel(rows, cols, chunk, lazy):
    array = level_folder.ZarrLevel(
        Path(), zarr.empty((rows, cols), chunks=chunk, dtype="u1", store={}), "yx", ""
    )
    source = ImageSource(Path(), (array,), (chunk,), (1.0,), ("a",), lazy=lazy)
    (chain,) = missing_chains(source)
    grid = [Block(0, i, j) for i in range(chain.grid[0]) for j in range(chain.grid[1])]
    for level in chain.levels:
        areas = [chain.area_at(block, level) for block in grid]
        covered = sum((y.stop - y.start) * (x.stop - x.start) for y, x in areas)
        assert covered == math.prod(level.shape[:2])
        assert max(y.stop for y, _ in areas) == level.shape[0]
        assert max(x.stop for _, x in areas) == level.shape[1]
    assert all(side % chain.levels[-1].factor == 0 for side in chain.block)
