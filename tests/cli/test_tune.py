"""``napari-relay tune`` compares short runs and says how to train the best for long."""

from __future__ import annotations

import csv
import shlex
import sys

import numpy as np
import pytest
import tifffile
import typer

from napari_relay.cli import cli

SMALL = [
    *("--backbone-options", '{"patch_size": 8, "depth": 1, "embed_dim": 24, "num_heads": 2}'),
    *("--tokens", "2", "--context-factors", "2", "--crop-sizes", "16,20,32", "--reduction", 2),
    *("--steps", 4, "--batch-size", 2, "--validation-crops", 2, "--device", "cpu"),
]


@pytest.fixture
def halves(tmp_path):
    """The words for an image whose left half is dark and right half is bright."""
    mask = np.zeros((128, 128), np.uint8)
    mask[:, 64:] = 1
    pixels = np.repeat(mask[..., None] * 200, 3, axis=2)
    tifffile.imwrite(tmp_path / "image.tif", pixels, photometric="rgb", tile=(64, 64))
    tifffile.imwrite(tmp_path / "labels.tif", mask)
    return [tmp_path / "image.tif", "--labels", tmp_path / "labels.tif", "--classes", "dark,bright"]


def test_the_best_is_on_top_and_its_command_trains_it(run, halves, tmp_path):
    result = run("tune", *halves, "-o", tmp_path / "my tuning", *SMALL)
    assert result.exit_code == 0, result.output
    assert "20 px are left out" in result.stderr
    # Optuna says nothing of its own.
    assert "tudy" not in result.stderr
    with (tmp_path / "my tuning" / "tune.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["steps"], row["outcome"]) for row in rows] == [("4", "finished"), ("2", "stopped")]
    text = (tmp_path / "my tuning" / "tune.md").read_text(encoding="utf-8")
    assert f"| 2 | 2 | {rows[0]['crop_size']} |" in text
    command = next(line for line in text.splitlines() if line.startswith("napari-relay train"))
    assert command in result.stdout
    parsed = parse(*shlex.split(command)[1:])
    assert parsed["crop_size"] == int(rows[0]["crop_size"])
    assert parsed["batch_size"] == int(rows[0]["batch_size"])
    assert parsed["images"] == [tmp_path / "image.tif"]
    assert parsed["output"] == tmp_path / "my tuning" / "best"
    assert parsed["backbone_options"]["patch_size"] == 8
    assert parsed["steps"] == 40


def parse(command, *words):
    """Parameters of a command line, of which nothing is run."""
    found = typer.main.get_command(cli).commands[command]
    return found.make_context(command, list(words)).params


@pytest.mark.parametrize("numbers", ["", "2,", "two", "2.5"])
def test_numbers_that_are_none_are_a_usage_error(run, halves, tmp_path, numbers):
    result = run("tune", *halves, "-o", tmp_path / "x", "--tokens", numbers)
    assert result.exit_code == 2
    assert "2,4,8" in result.stderr


def test_a_tuning_of_nothing_is_a_usage_error(run, tmp_path):
    assert run("tune", "-o", tmp_path / "x", *SMALL).exit_code == 2


def test_crops_larger_than_the_image_are_refused(run, halves, tmp_path):
    result = run("tune", *halves, "-o", tmp_path / "x", *SMALL, "--crop-sizes", "16,256")
    assert result.exit_code == 1
    assert "crop size of 256" in result.stderr
    assert not (tmp_path / "x").exists()


def test_without_optuna_the_extra_is_named(run, halves, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    result = run("tune", *halves, "-o", tmp_path / "x", *SMALL)
    assert result.exit_code == 1
    assert "napari-relay[train]" in result.stderr
