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
