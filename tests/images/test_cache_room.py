from __future__ import annotations

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.images import open_image
from napari_relay.images.cache_room import SIZE_VARIABLE, InUse, is_in_use
from relay_tokens import UserError

HOLDING = """
import sys
from pathlib import Path
from napari_relay.images.cache_room import InUse
held = InUse(Path(sys.argv[1]))
sys.stdout.write("held\\n")
sys.stdout.flush()
sys.stdin.read()
"""


def image_file(path: Path, value: int = 1) -> Path:
    tifffile.imwrite(path, np.full((1500, 1300), value, np.uint8), tile=(256, 256))
    return path


def folders(pyramids: Path) -> list[str]:
    return sorted(path.name.split("-")[0] for path in pyramids.glob("*.ome.zarr"))


def test_levels_of_an_older_content_are_removed(tmp_path, pyramids):
    path = image_file(tmp_path / "a.tif")
    open_image(path)
    os.utime(path, (1, 1))
    open_image(path)
    assert folders(pyramids) == ["a"]


def test_levels_of_an_older_content_stay_while_somebody_looks_at_them(tmp_path, pyramids):
    path = image_file(tmp_path / "a.tif")
    old = open_image(path)
    os.utime(path, (1, 1))
    open_image(path)
    assert folders(pyramids) == ["a", "a"]
    assert old.read(old.window, 1).valid.all()
    del old
    gc.collect()
    os.utime(path, (2, 2))
    open_image(path)
    assert folders(pyramids) == ["a"]


def test_images_of_one_name_in_two_folders_do_not_share_levels(tmp_path, pyramids):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        image = open_image(image_file(tmp_path / name / "a.tif", len(name)))
    assert folders(pyramids) == ["a", "a"]
    assert image.read(image.window, 1).valid.all()


def test_the_levels_used_longest_ago_make_room(tmp_path, pyramids, monkeypatch):
    for age, name in enumerate(("c", "a", "b")):
        open_image(image_file(tmp_path / f"{name}.tif"))
        (made,) = pyramids.glob(f"{name}-*.ome.zarr")
        os.utime(made, (1000 + age, 1000 + age))
    open_image(tmp_path / "c.tif")  # used again
    size = sum(f.stat().st_size for f in made.rglob("*"))
    gc.collect()
    monkeypatch.setenv(SIZE_VARIABLE, str(2.5 * size / 1e9))
    open_image(image_file(tmp_path / "d.tif"))
    assert folders(pyramids) == ["c", "d"]


def test_levels_in_use_are_never_removed_to_make_room(tmp_path, pyramids, monkeypatch):
    kept = open_image(image_file(tmp_path / "a.tif"))
    monkeypatch.setenv(SIZE_VARIABLE, "0")
    open_image(image_file(tmp_path / "b.tif"))
    assert "a" in folders(pyramids)
    assert kept.read(kept.window, 1).valid.all()


def test_a_size_that_is_no_number_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv(SIZE_VARIABLE, "plenty")
    with pytest.raises(UserError, match="NAPARI_RELAY_CACHE_GB is 'plenty'"):
        open_image(image_file(tmp_path / "a.tif"))


def test_a_killed_process_does_not_keep_levels_in_use(tmp_path):
    target = tmp_path / "a-0.ome.zarr"
    target.mkdir()
    command = [sys.executable, "-c", HOLDING, str(target)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        assert is_in_use(target)
        process.kill()
    assert not is_in_use(target)


def test_levels_are_in_use_as_long_as_the_object_lives(tmp_path):
    target = tmp_path / "a[1]-0.ome.zarr"
    target.mkdir()
    first, second = InUse(target), InUse(target)
    del first
    gc.collect()
    assert is_in_use(target)
    del second
    gc.collect()
    assert not is_in_use(target)


def test_levels_beside_an_image_are_made_if_asked_for_and_found_without(tmp_path, pyramids):
    path = image_file(tmp_path / "a.tif")
    open_image(path, cache="beside")
    assert not pyramids.exists()
    (levels,) = tmp_path.glob("a.tif-*.levels.ome.zarr")
    open_image(path, progress=lambda done, total: pytest.fail("built anew"))
    os.utime(path, (1, 1))
    image = open_image(path)
    assert not pyramids.exists()
    (renewed,) = tmp_path.glob("a.tif-*.levels.ome.zarr")
    assert renewed != levels
    assert image.read(image.window, 1).valid.all()
    left = {p.name for p in tmp_path.iterdir()} - {"home"}
    assert left == {"a.tif", renewed.name}


def test_levels_beside_an_image_go_with_it(tmp_path):
    path = image_file(tmp_path / "a.tif")
    open_image(path, cache="beside")
    (levels,) = tmp_path.glob("*.levels.ome.zarr")
    moved = tmp_path / "moved"
    moved.mkdir()
    for part in (path, levels):
        part.rename(moved / part.name)
    open_image(moved / "a.tif", progress=lambda done, total: pytest.fail("built anew"))


def test_levels_beside_an_image_in_a_read_only_folder_can_be_read(tmp_path, monkeypatch):
    path = image_file(tmp_path / "a.tif")
    open_image(path, cache="beside")
    monkeypatch.setenv("NAPARI_RELAY_HOME", str(path))  # no folder can be made in a file
    image = open_image(path)
    assert image.read(image.window, 1).valid.all()
