"""``napari-relay train`` leaves a model that ``predict`` takes."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from relay_tokens import load_checkpoint

SMALL = [
    *("--backbone-options", '{"depth": 1, "embed_dim": 24, "num_heads": 2}'),
    *("--crop-size", 32, "--steps", 2, "--batch-size", 2, "--evaluate-every", 1),
    *("--device", "cpu"),
]


@pytest.fixture
def labelled(tmp_path):
    """An image whose left half is dark and right half is bright, and its mask."""
    mask = np.zeros((128, 128), np.uint8)
    mask[:, 64:] = 1
    pixels = np.repeat(mask[..., None] * 200, 3, axis=2)
    tifffile.imwrite(tmp_path / "image.tif", pixels, photometric="rgb", tile=(64, 64))
    tifffile.imwrite(tmp_path / "labels.tif", mask)
    return tmp_path / "image.tif", tmp_path / "labels.tif"


@pytest.mark.slow
def test_a_trained_model_is_shown_with_its_scores_and_predicts(run, labelled, tmp_path):
    image, mask = labelled
    words = ["--labels", mask, "--classes", "dark,bright", "--name", "halves"]
    result = run("train", image, *words, "-o", tmp_path / "halves", *SMALL)
    assert result.exit_code == 0, result.output
    assert "dark" in result.stdout
    assert "mIoU" in result.stdout
    assert load_checkpoint(tmp_path / "halves").metadata.classes.names == ("dark", "bright")
    predicted = run("predict", image, "-m", tmp_path / "halves", "-o", tmp_path / "mask.tif")
    assert predicted.exit_code == 0, predicted.output


def test_labels_that_are_nothing_are_refused(run, photo, tmp_path):
    result = run("train", photo, "--labels", "gold", "--name", "x", "-o", tmp_path / "x", *SMALL)
    assert result.exit_code == 1
    assert "gold" in result.stderr
    assert not (tmp_path / "x").exists()


def test_a_mask_without_class_names_is_refused(run, labelled, tmp_path):
    image, mask = labelled
    result = run("train", image, "--labels", mask, "--name", "x", "-o", tmp_path / "x", *SMALL)
    assert result.exit_code == 1
    assert "labels.tif" in result.stderr


@pytest.mark.parametrize("options", ["depth=6", "[1]"])
def test_backbone_options_that_are_no_object_are_a_usage_error(run, photo, tmp_path, options):
    words = ["--labels", "stain", "--name", "x", "-o", tmp_path / "x"]
    assert run("train", photo, *words, "--backbone-options", options).exit_code == 2


@pytest.mark.slow
def test_a_dataset_is_trained_on_and_its_notes_are_said(run, tmp_path):
    for seed, split in enumerate(["train", "val"]):
        words = ["--size", 128, "--scale", 0.25, "--seed", seed]
        assert run("landscape", tmp_path / split / "a", *words).exit_code == 0
    words = ["--data", f"landscape:{tmp_path}", "--name", "land", "-o", tmp_path / "out"]
    result = run("train", *words, *SMALL)
    assert result.exit_code == 0, result.output
    metadata = load_checkpoint(tmp_path / "out").metadata
    assert metadata.bands == ("red", "green", "blue", "elevation")
    assert metadata.normalization == ("fixed", "fixed", "fixed", "local")
    assert "val" in metadata.training["measured_on"]


@pytest.mark.parametrize("words", [["--data", "folder:x", "--classes", "a,b"], []])
def test_an_image_or_a_dataset_must_be_named_not_both(run, tmp_path, words):
    result = run("train", "--name", "x", "-o", tmp_path / "x", *words)
    assert result.exit_code == 2


@pytest.mark.slow
def test_a_baseline_is_trained_without_relay_tokens(run, labelled, tmp_path):
    image, mask = labelled
    words = ["--labels", mask, "--classes", "dark,bright", "--name", "one", "--baseline", "local"]
    assert run("train", image, *words, "-o", tmp_path / "one", *SMALL).exit_code == 0
    config = load_checkpoint(tmp_path / "one").model.config
    assert config.context_factor is None
    assert config.num_relay_tokens == 0
