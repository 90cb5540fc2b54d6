from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
import typer
from typer.testing import CliRunner

from napari_relay.cli.tissue import tissue
from napari_relay.images import open_image
from napari_relay.images.halving import halve
from napari_relay.tissues import GLEASON_CLASSES, CoreProgress, TissueCore, write_cores, writing
from napari_relay.training.datasets import open_dataset
from relay_tokens import UserError

NAMES = [f"synthetic-core-{seed:04d}" for seed in (5, 6, 7)]
CORE = TissueCore(seed=6, diameter_px=500)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tissue") / "cores"
    progress = list(write_cores(3, 500, 5, folder))
    assert progress == [CoreProgress(k, 27) for k in range(1, 28)]
    return folder


def test_the_folder_opens_as_a_dataset_split_by_core(written):
    dataset = open_dataset(f"folder:{written}")
    assert {s.name: s.split for s in dataset.samples} == dict(
        zip(NAMES, ("train", "val", "test"), strict=True)
    )
    assert dataset.classes == GLEASON_CLASSES
    assert dataset.bands == ("red", "green", "blue")
    assert dataset.notes == ()


def test_reading_back_gives_the_generator_bit_for_bit(written):
    patch = CORE.read(CORE.window)
    image = open_image(written / "images" / f"{NAMES[1]}.tif")
    np.testing.assert_array_equal(image.read(CORE.window).pixels, patch.rgb)
    sample = next(s for s in open_dataset(f"folder:{written}").samples if s.name == NAMES[1])
    np.testing.assert_array_equal(sample.open_labels().read(CORE.window), patch.labels)


def test_an_image_has_its_pixel_size_and_true_levels(written):
    image = open_image(written / "images" / f"{NAMES[1]}.tif")
    assert (image.pixel_size, image.unit) == (pytest.approx((0.5, 0.5)), "um")
    assert image.factors == (1.0, 2.0)
    expected = halve(CORE.read(CORE.window).rgb)
    np.testing.assert_array_equal(image.read(CORE.window, 1).pixels, expected)


def test_every_file_says_that_it_is_synthetic(written):
    for path in (written / "images").iterdir():
        assert "synthetic" in path.name
        with tifffile.TiffFile(path) as tiff:
            assert tiff.pages.first.description.startswith("Synthetic tissue, computed by")
            assert tiff.pages.first.is_tiled
    assert "Synthetic" in json.loads((written / "classes.json").read_text())["note"]


@pytest.mark.parametrize(
    ("count", "sizes"), [(3, (1, 1, 1)), (11, (9, 1, 1)), (12, (8, 2, 2)), (30, (20, 5, 5))]
)
def test_every_core_is_in_one_split(count, sizes):
    split = writing.split_cores([TissueCore(seed) for seed in range(count)])
    assert tuple(map(len, split.values())) == sizes
    assert len({name for names in split.values() for name in names}) == count


def test_a_stopped_writing_leaves_nothing_behind(tmp_path):
    progress = write_cores(3, 300, 0, tmp_path / "cores")
    next(progress)
    assert [path.name for path in tmp_path.iterdir()] == ["cores.part"]
    progress.close()
    assert not list(tmp_path.iterdir())


def test_what_is_there_already_is_kept(tmp_path):
    for name in ("cores", "more.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.txt").write_text("mine")
    for name in ("cores", "more"):
        with pytest.raises(UserError, match="is there already; choose another folder"):
            next(write_cores(3, 300, 0, tmp_path / name))
    assert (tmp_path / "cores" / "own.txt").read_text() == "mine"
    assert (tmp_path / "more.part" / "own.txt").read_text() == "mine"


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path):
    (tmp_path / "taken").write_text("")
    for folder in (tmp_path / "taken", tmp_path / "taken" / "deeper"):
        with pytest.raises(UserError, match=r"taken.* is a file; choose a folder"):
            next(write_cores(3, 300, 0, folder))


def test_too_few_cores_for_the_splits_are_refused(tmp_path):
    with pytest.raises(UserError, match="2 cores were asked for; choose 3 to 10000"):
        next(write_cores(2, 300, 0, tmp_path / "cores"))


def test_a_disk_that_is_too_full_is_said_before_anything_is_written(tmp_path, monkeypatch):
    # No test machine has room for this many copies of it.
    monkeypatch.setattr(writing, "BYTES_PER_PIXEL", 10**12)
    with pytest.raises(UserError, match=r"has room for .* GB but the cores may need"):
        next(write_cores(3, 300, 0, tmp_path / "cores"))
    assert not list(tmp_path.iterdir())


def test_the_command_writes_the_same_cores_into_an_empty_folder(tmp_path, written):
    app = typer.Typer()
    app.command()(tissue)
    (tmp_path / "out").mkdir()
    words = [str(tmp_path / "out"), "--cores", "3", "--diameter", "500", "--seed", "5"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert f"Wrote 3 synthetic cores to {tmp_path / 'out'}" in result.stdout
    for part in ("images", "masks"):
        for path in (written / part).iterdir():
            assert (tmp_path / "out" / part / path.name).read_bytes() == path.read_bytes()
