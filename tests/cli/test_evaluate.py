"""``napari-relay evaluate`` scores a model on a dataset or a mask."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile
from PIL import Image

NAMES = ("background", "tissue")
SPLITS = {"train": ["a"], "val": ["b"], "test": ["c", "d"]}


@pytest.fixture
def mask(photo, tmp_path):
    labels = np.random.default_rng(0).integers(0, 2, (90, 110), dtype=np.uint8)
    labels[:10] = 255
    tifffile.imwrite(tmp_path / "mask.tif", labels)
    return tmp_path / "mask.tif"


@pytest.fixture
def folder(tmp_path):
    """Makes a plain folder of small images with some classes and splits."""

    def make(names=NAMES, splits=SPLITS, bands=3):
        root, rng = tmp_path / "data", np.random.default_rng(0)
        for place in ("images", "masks"):
            (root / place).mkdir(parents=True)
        for name in "abcd":
            shape = (80, 100, 3) if bands == 3 else (80, 100)
            pixels = rng.integers(0, 256, shape, dtype=np.uint8)
            Image.fromarray(pixels).save(root / "images" / f"{name}.png")
            labels = rng.integers(0, 2, (80, 100), dtype=np.uint8)
            Image.fromarray(labels).save(root / "masks" / f"{name}.png")
        (root / "classes.json").write_text(json.dumps({"classes": [{"name": n} for n in names]}))
        (root / "split.json").write_text(json.dumps(splits))
        return f"folder:{root}"

    return make


def assert_one_sentence(result, *words):
    assert result.exit_code == 1, result.output
    assert len(result.stderr.strip().splitlines()) == 1, result.stderr
    assert "Traceback" not in result.output
    assert all(word in result.stderr for word in words), result.stderr


def test_an_image_is_scored_against_its_mask(run, tiny_model, photo, mask):
    result = run("evaluate", tiny_model, photo, "--labels", mask, "--device", "cpu")
    assert result.exit_code == 0, result.output
    for word in ("background", "tissue", "IoU", "mIoU 0.", "pixel accuracy", "calibration error"):
        assert word in result.stdout


def test_a_report_holds_the_scores_of_every_image(run, tiny_model, folder, tmp_path):
    words = ["--output", tmp_path / "report", "--device", "cpu"]
    result = run("evaluate", tiny_model, folder(), *words)
    assert result.exit_code == 0, result.output
    assert "the split test" in result.stderr
    record = json.loads((tmp_path / "report" / "scores.json").read_text())
    assert list(record["images"]) == ["c", "d"]
    assert record["pixels"] == 2 * 80 * 100
    assert (tmp_path / "report" / "report.html").exists()


@pytest.mark.parametrize(
    ("asked", "splits", "used"),
    [
        ([], {"train": ["a"], "val": ["b"]}, "val"),
        (["--split", "train"], SPLITS, "train"),
    ],
)
def test_without_test_images_those_of_val_are_used_unless_asked(
    run, tiny_model, folder, asked, splits, used
):
    words = [*asked, "--limit", 1, "--device", "cpu"]
    result = run("evaluate", tiny_model, folder(splits=splits), *words)
    assert result.exit_code == 0, result.output
    assert f"the split {used} of" in result.stderr
    assert f"the split {used}" in " ".join(result.stdout.split())


def test_a_split_without_images_names_those_that_have_some(run, tiny_model, folder):
    data = folder(splits={"train": ["a", "b", "c", "d"]})
    for words, named in (([], "test or val"), (["--split", "test"], "test")):
        assert_one_sentence(run("evaluate", tiny_model, data, *words), named, "choose one of train")


def test_classes_in_another_order_are_refused(run, tiny_model, folder, tmp_path):
    data = folder(names=("tissue", "background"))
    result = run("evaluate", tiny_model, data, "-o", tmp_path / "report")
    assert_one_sentence(result, "background, tissue", "tissue, background")
    assert not (tmp_path / "report").exists()


def test_other_bands_are_refused(run, tiny_model, folder, terrain, mask):
    result = run("evaluate", tiny_model, folder(bands=1), "--device", "cpu")
    assert "c.png has 1 band" in result.stderr
    assert result.exit_code == 1
    assert_one_sentence(run("evaluate", tiny_model, terrain, "--labels", mask), "1 band")


def test_an_image_without_a_mask_is_told_what_to_give(run, tiny_model, photo):
    assert_one_sentence(run("evaluate", tiny_model, photo), "photo.tif", "--labels")


def test_data_that_is_nothing_is_named(run, tiny_model, tmp_path, mask):
    assert_one_sentence(run("evaluate", tiny_model, "nothing"), "nothing", "folder:FOLDER")
    missing = tmp_path / "none.tif"
    assert_one_sentence(run("evaluate", tiny_model, missing, "--labels", mask), "none.tif")


def test_a_mask_of_another_size_is_refused(run, tiny_model, photo, tmp_path):
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, np.zeros((90, 100), np.uint8))
    result = run("evaluate", tiny_model, photo, "--labels", other)
    assert_one_sentence(result, "other.tif", "photo.tif")


def test_a_mask_without_any_known_class_is_named(run, tiny_model, photo, tmp_path):
    blank = tmp_path / "blank.tif"
    tifffile.imwrite(blank, np.full((90, 110), 255, np.uint8))
    words = ["--labels", blank, "--device", "cpu"]
    result = run("evaluate", tiny_model, photo, *words)
    assert result.exit_code == 1
    assert "no labelled pixel in photo.tif with the mask blank.tif" in result.stderr


def test_a_report_that_cannot_be_written_is_refused_before_the_work(
    run, tiny_model, photo, mask, tmp_path
):
    (tmp_path / "report").write_text("")
    words = ["--labels", mask, "-o", tmp_path / "report"]
    assert_one_sentence(run("evaluate", tiny_model, photo, *words), "report", "name another")


def test_a_split_beside_a_mask_is_a_usage_error(run, tiny_model, photo, mask):
    assert run("evaluate", tiny_model, photo, "--labels", mask, "--split", "val").exit_code == 2


def test_the_example_of_the_help_uses_options_that_exist(run):
    text = " ".join(run("evaluate", "--help").output.split())
    assert "Example: napari-relay evaluate tissue-vit-tiny" in text
    assert "--output" in text.split("Example: ")[0]
