from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.geometry import Window
from napari_relay.images import levels_plan, open_image
from napari_relay.images.block_record import RECORD
from napari_relay.images.halving import halve
from napari_relay.images.ome_zarr import ZarrLevel
from napari_relay.images.tiff_level import TiffLevel
from relay_tokens import UserError

BLOCK_BYTES = 3 * 512**2
OPENING = f"""
import sys, time
from napari_relay.images import levels_plan, open_image
levels_plan.BLOCK_BYTES = {BLOCK_BYTES}
def report(done, total):
    sys.stdout.write(f"{{done}} {{total}}\\n")
    sys.stdout.flush()
    time.sleep(float(sys.argv[2]))
open_image(sys.argv[1], progress=report)
"""


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch) -> None:
    monkeypatch.setattr(levels_plan, "BLOCK_BYTES", BLOCK_BYTES)


@pytest.fixture
def pixels(rng) -> np.ndarray:
    return rng.integers(0, 255, (2500, 2100, 3), dtype=np.uint8)


@pytest.fixture
def large(tmp_path: Path, pixels) -> Path:
    path = tmp_path / "large.tif"
    tifffile.imwrite(path, pixels, tile=(256, 256), photometric="rgb")
    return path


def opening(path: Path, pause: float) -> subprocess.Popen[str]:
    """Another process that opens the image and pauses after each block."""
    command = [sys.executable, "-c", OPENING, str(path), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def whole_levels(image, pixels: np.ndarray) -> None:
    for level in image.levels:
        np.testing.assert_array_equal(level.compute(), pixels)
        pixels = halve(pixels)


def test_a_build_that_was_killed_goes_on_where_it_was(large, pixels):
    process = opening(large, pause=60)
    try:
        assert process.stdout.readline() == "1 25\n"
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    seen: list[int] = []
    image = open_image(large, progress=lambda done, total: seen.append(done))
    assert seen[0] > 1
    assert seen[-1] == 25
    assert len(seen) < 25
    whole_levels(image, pixels)


def test_a_second_process_waits_for_the_first_and_follows_it(large, pixels):
    process = opening(large, pause=0.05)
    try:
        assert process.stdout.readline() == "1 25\n"
        seen: list[int] = []
        image = open_image(large, progress=lambda done, total: seen.append(done))
        whole_levels(image, pixels)
    finally:
        reported = process.communicate()[0].split()
    assert reported[-2:] == ["25", "25"]
    assert seen == sorted(seen)


def test_an_image_can_be_looked_at_while_its_levels_are_built(large, pixels):
    image = open_image(large, wait=False)
    assert image.factors == (1.0, 2.0, 4.0)
    assert image.build is not None
    assert not image.build.is_complete
    half = halve(pixels)
    assert image.read(image.window, 0).valid.all()
    patch = image.read(image.window, 1)
    assert not patch.valid.any()
    assert not patch.pixels.any()
    assert not image.levels[1].compute().any()
    built = np.zeros(half.shape[:2], bool)
    for window in image.build.run():
        y0, x0 = window.y0 // 2, window.x0 // 2
        area = np.s_[y0 : y0 + -(-window.height // 2), x0 : x0 + -(-window.width // 2)]
        built[area] = True
        patch = image.read(window, 1)
        np.testing.assert_array_equal(patch.pixels, half[area][: len(patch.pixels)])
        assert patch.valid.all()
        whole = image.read(image.window, 1)
        assert whole.valid[built].all()
    assert built.all()
    assert image.build.is_complete
    assert open_image(large, wait=False).build is None
    whole_levels(image, pixels)


def test_what_was_blank_when_it_was_read_first_is_read_again(large, pixels):
    image = open_image(large, wait=False)
    corner = Window(0, 0, 64, 64)
    assert not image.read(corner, 2).valid.any()
    for _ in image.build.run():
        image.read(corner, 2)
    np.testing.assert_array_equal(image.read(corner, 2).pixels, halve(halve(pixels))[:16, :16])


def test_a_build_can_be_closed_and_run_again(large, pixels):
    image = open_image(large, wait=False)
    run = image.build.run(spare_cores=100)
    next(run)
    run.close()
    done = image.build.done
    assert 1 <= done <= 3
    rest = list(image.build.run())
    assert len(rest) == image.build.total - done
    assert list(image.build.run()) == []
    whole_levels(image, pixels)


def test_windows_of_finished_blocks_tile_the_image(large):
    image = open_image(large, wait=False)
    seen = np.zeros(image.shape, int)
    for window in image.build.run():
        seen[window.slices] += 1
    assert (seen == 1).all()


def test_two_builds_in_one_process_do_not_build_twice(large):
    first, second = open_image(large, wait=False), open_image(large, wait=False)
    run, other = first.build.run(), second.build.run()
    next(run)
    assert next(other).area > 0  # what the first has built
    while (window := next(other)).area:
        pass
    assert window == (0, 0, 0, 0)
    list(run)
    list(other)
    assert second.build.is_complete


def test_a_line_of_the_record_that_was_cut_off_does_not_count(large, pixels, pyramids):
    run = open_image(large, wait=False).build.run()
    next(run)
    run.close()
    (folder,) = pyramids.glob("*.zarr")
    with (folder / RECORD).open("a") as record:
        record.write("0 4 4")
    whole_levels(open_image(large), pixels)


def test_a_record_that_fits_nothing_is_built_anew(large, pixels, pyramids):
    open_image(large, wait=False)
    (folder,) = pyramids.glob("*.zarr")
    (folder / RECORD).write_text("nonsense\n")
    whole_levels(open_image(large), pixels)


def test_what_zarr_left_half_written_is_removed(large, pyramids):
    image = open_image(large, wait=False)
    (folder,) = pyramids.glob("*.zarr")
    (folder / "2" / "0.abc.partial").write_bytes(b"half a chunk")
    list(image.build.run())
    assert not list(folder.rglob("*.partial"))


def test_a_png_is_decoded_once_and_then_read_in_tiles(tmp_path, pixels):
    from PIL import Image

    path = tmp_path / "picture.png"
    Image.fromarray(pixels).save(path, compress_level=0)
    image = open_image(path, wait=False)
    assert not image.read(Window(0, 0, 50, 50)).valid.any()
    list(image.build.run())
    whole_levels(image, pixels)
    whole_levels(open_image(path), pixels)
    assert type(open_image(path).arrays[0]).__name__ == "CachedLevel"


def test_a_folder_that_vanishes_in_mid_build_is_named_and_goes_on_later(tmp_path, pixels):
    from tests.images.test_open_ome_zarr import write

    path = write(tmp_path / "a.zarr", [np.moveaxis(pixels, 2, 0)], "cyx")
    image = open_image(path, wait=False)
    run = image.build.run()
    next(run)
    path.rename(tmp_path / "away.zarr")
    with pytest.raises(UserError, match=r"a\.zarr vanished.*put it back"):
        list(run)
    done = image.build.done
    (tmp_path / "away.zarr").rename(path)
    again = open_image(path, wait=False)
    assert again.build.done == done
    list(again.build.run())
    whole_levels(again, pixels)


def test_levels_whose_folder_is_deleted_while_open_are_missed(large, pyramids):
    image = open_image(large)
    (folder,) = pyramids.glob("*.zarr")
    folder.rename(pyramids / "elsewhere")
    with pytest.raises(UserError, match="vanished"):
        image.read(image.window, 1)


def test_opening_built_levels_decodes_nothing(large, monkeypatch):
    open_image(large)
    monkeypatch.setattr(TiffLevel, "__getitem__", lambda level, key: pytest.fail("decoded"))
    monkeypatch.setattr(ZarrLevel, "__getitem__", lambda level, key: pytest.fail("decoded"))
    assert open_image(large).factors == (1.0, 2.0, 4.0)
