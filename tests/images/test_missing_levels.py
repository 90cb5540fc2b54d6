from __future__ import annotations

import errno
import os
import shutil
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.images import cache, open_image
from napari_relay.images.halving import halve
from relay_tokens import UserError


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 255, (2301, 1203, 3), dtype=np.uint8)


@pytest.fixture
def large(tmp_path: Path, pixels) -> Path:
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb", compression="zlib")
    return path


def test_each_level_is_the_area_mean_of_the_one_before(large, pixels, monkeypatch):
    monkeypatch.setattr(cache, "BLOCK_BYTES", 1)  # one chunk a block: seams would show
    image = open_image(large)
    assert image.factors == (1.0, 2.0, 4.0)
    for level in image.levels[1:]:
        pixels = halve(pixels)
        assert level.chunksize[:2] == (512, min(512, pixels.shape[1]))
        np.testing.assert_array_equal(level.compute(scheduler="synchronous"), pixels)


def test_levels_are_built_once_and_anew_when_the_file_changes(large, pixels, pyramids):
    open_image(large)
    open_image(large, progress=lambda done, total: pytest.fail("built anew"))
    tifffile.imwrite(large, 255 - pixels, photometric="rgb")
    image = open_image(large)
    np.testing.assert_array_equal(image.levels[1].compute(), halve(255 - pixels))
    assert len(list(pyramids.iterdir())) == 2


def test_a_small_image_needs_no_levels(tmp_path, pyramids):
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((1024, 1024), np.uint8))
    assert open_image(tmp_path / "small.tif").factors == (1.0,)
    assert not pyramids.exists()


def test_a_stopped_build_leaves_nothing(large, pyramids):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_image(large, progress=stop)
    assert list(pyramids.iterdir()) == []
    assert open_image(large).factors == (1.0, 2.0, 4.0)


def test_a_killed_build_is_not_mistaken_for_a_whole_one(large, pixels, pyramids):
    open_image(large)
    (whole,) = pyramids.iterdir()
    killed = pyramids / f"{cache.PARTIAL_PREFIX}abc"
    whole.rename(killed)
    os.utime(killed, (0, 0))
    image = open_image(large)
    np.testing.assert_array_equal(image.levels[1].compute(), halve(pixels))
    assert [p.name for p in pyramids.iterdir()] == [whole.name]


def test_a_level_missing_from_the_cache_is_built_again(large, pixels, pyramids):
    open_image(large)
    (whole,) = pyramids.iterdir()
    shutil.rmtree(whole / "4")
    image = open_image(large)
    np.testing.assert_array_equal(image.levels[2].compute(), halve(halve(pixels)))


def test_two_threads_may_open_the_same_new_file(large, pyramids):
    with ThreadPoolExecutor(2) as pool:
        images = list(pool.map(open_image, [large, large]))
    np.testing.assert_array_equal(images[0].levels[2], images[1].levels[2])
    assert len(list(pyramids.iterdir())) == 1


def test_a_file_in_one_large_piece_is_copied_in_tiles(tmp_path, pixels, monkeypatch):
    path = tmp_path / "strip.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", rowsperstrip=2000, compression="zlib")
    monkeypatch.setattr("napari_relay.images.tiff.LAZY_CHUNK_BYTES", 10**6)
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


def test_a_disk_that_fills_up_meanwhile_leaves_nothing(large, pyramids):
    def full(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match="NAPARI_RELAY_HOME"):
        open_image(large, progress=full)
    assert list(pyramids.iterdir()) == []


def test_a_cache_that_cannot_be_made_is_named(large, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NAPARI_RELAY_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match=r"cannot be written to.*NAPARI_RELAY_HOME"):
        open_image(large)
