"""``napari-relay finetune`` teaches a model corrections."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_relay.annotation import CorrectionStore
from napari_relay.geometry import Window
from relay_tokens import load_checkpoint
from tests.cli.test_evaluate import assert_one_sentence


@pytest.fixture
def mask(photo, tmp_path):
    values = np.full((90, 110), 255, np.uint8)
    values[10:30, 10:40], values[50:80, 60:90] = 0, 1
    tifffile.imwrite(tmp_path / "corrected.tif", values)
    return tmp_path / "corrected.tif"


QUICK = ("--steps", 3, "--trains", "all", "--device", "cpu", "--force")


def test_a_mask_teaches_a_model_that_says_where_it_comes_from(
    run, tiny_model, photo, mask, tmp_path
):
    result = run("finetune", tiny_model, photo, mask, "-o", tmp_path / "taught", *QUICK)
    assert result.exit_code == 0, result.output
    for word in ("before", "after", "corrections learnt", "ecommended."):
        assert word in result.stdout
    metadata = load_checkpoint(tmp_path / "taught").metadata
    assert metadata.name == "taught"
    assert metadata.training["finetuned_from"] == load_checkpoint(tiny_model).metadata.name
    assert metadata.training["finetuning"]["steps"] == 3
    assert "Fine-tuned from" in (tmp_path / "taught" / "README.md").read_text()


def test_corrections_of_the_app_and_a_second_image_are_learnt(
    run, tiny_model, photo, mask, tmp_path
):
    schema = load_checkpoint(tiny_model).metadata.classes
    store = CorrectionStore.create(tmp_path / "painted", (90, 110), schema, "photo")
    store.write(Window(5, 5, 20, 20), np.ones((20, 20), np.uint8))
    store.flush()
    words = ["--more", f"{photo}={mask}", "-o", tmp_path / "taught"]
    result = run("finetune", tiny_model, photo, tmp_path / "painted", *words, *QUICK)
    assert result.exit_code == 0, result.output
    assert load_checkpoint(tmp_path / "taught").metadata.training["finetuning"]["regions"] >= 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("missing", ("There are no corrections",)),
        ("small", ("corrected.tif", "pixels")),
        ("taken", ("is there already",)),
    ],
)
def test_what_cannot_be_done_is_one_sentence(run, tiny_model, photo, mask, tmp_path, change, words):
    if change == "missing":
        mask.unlink()
    elif change == "small":
        tifffile.imwrite(mask, np.zeros((9, 11), np.uint8))
    else:
        (tmp_path / "taught").mkdir()
        (tmp_path / "taught" / "notes.txt").write_text("mine")
    result = run("finetune", tiny_model, photo, mask, "-o", tmp_path / "taught", *QUICK)
    assert_one_sentence(result, *words)
    assert not (tmp_path / "taught" / "model.safetensors").exists()


def test_an_empty_mask_is_named(run, tiny_model, photo, mask, tmp_path):
    tifffile.imwrite(mask, np.full((90, 110), 255, np.uint8))
    result = run("finetune", tiny_model, photo, mask, "-o", tmp_path / "taught", *QUICK)
    assert result.exit_code == 1
    assert "says nothing of any pixel" in result.stderr
    assert "Traceback" not in result.output


def drawn(path, words):
    """Polygons over the photo, in its pixels."""
    features = [
        {
            "type": "Feature",
            "properties": {"class": word},
            "geometry": {
                "type": "Polygon",
                "coordinates": [[[x, 10], [x + 25, 10], [x + 25, 60], [x, 60], [x, 10]]],
            },
        }
        for x, word in zip(range(5, 100, 30), words, strict=False)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def test_polygons_teach_once_it_is_said_what_their_classes_mean(run, tiny_model, photo, tmp_path):
    names = load_checkpoint(tiny_model).metadata.classes.names
    path = drawn(tmp_path / "drawn.geojson", [names[0].upper(), "Kiln", "junk"])
    words = ["finetune", tiny_model, photo, path, "-o", tmp_path / "taught", *QUICK]
    assert_one_sentence(run(*words), "has Kiln, junk", '--map "Kiln=..."', "leave-out")
    assert_one_sentence(run(*words, "--map", "kiln=barn"), "kiln=barn", names[0])
    said = ["--map", f"kiln={names[1]}", "--map", "junk=leave-out"]
    result = run(*words, *said)
    assert result.exit_code == 0, result.output
    for word in ("pixels of the image", "Kiln", names[1], "left out"):
        assert word in result.stderr
    assert (tmp_path / "taught" / "model.safetensors").exists()
