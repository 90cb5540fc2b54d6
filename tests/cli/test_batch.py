"""``napari-relay batch`` does many images, goes on where it was, and lists what failed."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.cli.batch_images import find_images
from napari_relay.inference import PredictionStore
from relay_tokens import UserError


def write_photo(path: Path, seed: int = 0, side: int = 90) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (side, side + 20, 3), dtype=np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64), resolution=(20_000, 20_000),
                     resolutionunit="CENTIMETER")  # fmt: skip
    return path


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    write_photo(folder / "one.tif", 1)
    write_photo(folder / "two.tif", 2)
    return folder


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "summary.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def words(text: str) -> str:
    return " ".join(text.split())


def test_every_image_gets_a_folder_with_its_exports_and_a_row(run, photos, tiny_model, tmp_path):
    out = tmp_path / "out"
    result = run("batch", photos, "-m", tiny_model, "-e", "cog,ome-tiff", "-o", out)
    assert result.exit_code == 0, result.output
    for name in ("one", "two"):
        assert tifffile.imread(out / name / f"{name}-classes.tif").shape == (90, 110)
        assert (out / name / f"{name}-classes.ome.tif").exists()
    rows = rows_of(out)
    assert [(row["image"], row["status"]) for row in rows] == [("one", "done"), ("two", "done")]
    mask = tifffile.imread(out / "one" / "one-classes.tif")
    assert int(rows[0]["pixels: tissue"]) == (mask == 1).sum()
    assert rows[0]["area_unit"] == "um2"
    assert float(rows[0]["area: tissue"]) == pytest.approx((mask == 1).sum() * 0.25)
    assert "2 of 2 images are done" in words(result.stdout)


def test_a_second_run_does_only_what_is_missing(run, photos, tiny_model, tmp_path):
    out = tmp_path / "out"
    command = ("batch", photos, "-m", tiny_model, "-e", "cog", "-o", out)
    run(*command)
    before = (out / "one" / "one-classes.tif").stat().st_mtime_ns
    write_photo(photos / "three.tif", 3)
    (out / "two" / "two-classes.tif").unlink()
    result = run(*command)
    assert result.exit_code == 0, result.output
    assert [row["status"] for row in rows_of(out)] == ["done before", "done", "done"]
    assert (out / "one" / "one-classes.tif").stat().st_mtime_ns == before
    assert (out / "two" / "two-classes.tif").exists()
    assert all(row["pixels: tissue"] for row in rows_of(out))


def test_a_broken_file_is_listed_and_stops_nothing(run, photos, tiny_model, tmp_path):
    (photos / "broken.tif").write_bytes(b"II*\0 not a tiff at all")
    (photos / "empty.tif").write_bytes(b"")
    result = run("batch", photos, "-m", tiny_model, "-e", "cog", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    rows = {row["image"]: row for row in rows_of(tmp_path / "out")}
    assert [rows[name]["status"] for name in ("broken", "empty", "one", "two")] == [
        "failed", "failed", "done", "done",
    ]  # fmt: skip
    assert "empty.tif is empty" in rows["empty"]["sentence"]
    assert "2 of 4 images are done" in words(result.stdout)
    assert "empty.tif is empty" in words(result.stdout)


def test_a_mended_file_is_done_by_the_same_command(run, photos, tiny_model, tmp_path):
    (photos / "later.tif").write_bytes(b"")
    command = ("batch", photos, "-m", tiny_model, "-e", "cog", "-o", tmp_path / "out")
    assert run(*command).exit_code == 1
    write_photo(photos / "later.tif", 4)
    assert run(*command).exit_code == 0
    assert {row["status"] for row in rows_of(tmp_path / "out")} == {"done", "done before"}


def test_an_image_that_was_replaced_is_done_anew(run, photos, tiny_model, tmp_path):
    out = tmp_path / "out"
    command = ("batch", photos, "-m", tiny_model, "-e", "cog", "-o", out)
    run(*command)
    write_photo(photos / "one.tif", 9, side=150)
    assert run(*command).exit_code == 0
    assert [row["status"] for row in rows_of(out)] == ["done", "done before"]
    assert tifffile.imread(out / "one" / "one-classes.tif").shape == (150, 170)


def test_another_model_or_other_filters_do_not_mix_in_one_folder(run, photos, tiny_model, tmp_path):
    out = tmp_path / "out"
    run("batch", photos, "-m", tiny_model, "-e", "cog", "-o", out)
    settings = json.loads((out / "batch.json").read_text())
    (out / "batch.json").write_text(json.dumps({**settings, "model": "another"}))
    result = run("batch", photos, "-m", tiny_model, "-e", "cog", "-o", out)
    assert result.exit_code == 1
    assert "holds a batch with another model" in words(result.stderr)


def test_stores_go_once_all_is_written_if_they_are_not_to_be_kept(
    run, photos, tiny_model, tmp_path
):
    out = tmp_path / "out"
    command = ("batch", photos, "-m", tiny_model, "-e", "cog", "-o", out, "--no-keep-stores")
    run(*command)
    assert {path.name for path in (out / "one").iterdir()} == {
        "one-classes.tif", "one-classes.tif.aux.xml", "done.json",
    }  # fmt: skip
    run(*command)
    assert [row["status"] for row in rows_of(out)] == ["done before", "done before"]


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [("nowhere", "does not exist"), ("*.svs", "no image in"), ("empty", "no image in")],
)
def test_nothing_to_do_is_one_sentence(run, tiny_model, tmp_path, asked, sentence):
    (tmp_path / "empty").mkdir()
    result = run("batch", tmp_path / asked, "-m", tiny_model, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert sentence in words(result.stderr)
    assert not (tmp_path / "out").exists()


def test_an_unknown_format_is_named_with_the_known_ones(run, photos, tiny_model, tmp_path):
    result = run("batch", photos, "-m", tiny_model, "-e", "cog,doc", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "'doc' is no format of an export; choose from cog," in words(result.stderr)


def test_images_of_one_name_get_folders_of_their_own(tmp_path):
    for name in ("a/core.tif", "b/core.tif", "b/core.png", "c/other.tif"):
        write_photo(tmp_path / "in" / name)
    found = find_images([tmp_path / "in"], tmp_path / "in" / "out")
    names = [image.name for image in found]
    assert len(set(names)) == 4
    assert "other" in names
    assert [image.path for image in found] == sorted(image.path for image in found)


def test_patterns_find_images_and_the_batch_s_own_folder_is_left_out(tmp_path):
    for name in ("a.tif", "b.png", "out/a/a-classes.tif"):
        write_photo(tmp_path / name)
    (tmp_path / "notes.txt").write_text("not an image")
    everything = find_images([tmp_path], tmp_path / "out")
    assert [image.path.name for image in everything] == ["a.tif", "b.png"]
    some = find_images([tmp_path / "*.tif", tmp_path / "a.tif"], tmp_path / "out")
    assert [image.path.name for image in some] == ["a.tif"]
    with pytest.raises(UserError, match="no image"):
        find_images([tmp_path / "*.svs"], tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="kills as POSIX does")
def test_a_batch_that_is_killed_goes_on_within_the_image(run, tiny_model, tmp_path):
    photos, out = tmp_path / "photos", tmp_path / "out"
    write_photo(photos / "large.tif", 5, side=700)
    words_ = ["batch", photos, "-m", tiny_model, "-e", "cog", "-o", out, "--batch-size", "1"]
    command = [sys.executable, "-m", "napari_relay.cli", *map(str, words_)]
    store = out / "large" / "prediction.zarr"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        until = time.monotonic() + 60
        while time.monotonic() < until and process.poll() is None and not finished(store):
            time.sleep(0.02)
        assert process.poll() is None
        process.kill()
    done = finished(store)
    assert 0 < done < PredictionStore.open(store).finished.size
    (out / "large" / ".half").write_bytes(b"what a killed export leaves")
    result = run(*words_)
    assert result.exit_code == 0, result.output
    assert not list((out / "large").glob(".*"))
    mask = tifffile.imread(out / "large" / "large-classes.tif")
    run("predict", photos / "large.tif", "-m", tiny_model, "-o", tmp_path / "mask.tif")
    np.testing.assert_array_equal(mask, tifffile.imread(tmp_path / "mask.tif"))


def finished(store: Path) -> int:
    if not (store / "zarr.json").exists():
        return 0
    return int(PredictionStore.open(store).finished.sum())
