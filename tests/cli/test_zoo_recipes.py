"""``scripts/zoo.py`` gives commands that ``napari-relay`` understands."""

from __future__ import annotations

import runpy
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from napari_relay.cli import cli

SCRIPT = Path(__file__).parents[2] / "scripts" / "zoo.py"
NAMES = ("landscape-vit-tiny", "landscape-swinv2-tiny", "tissue-vit-tiny")


@pytest.fixture(scope="module")
def zoo() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT), run_name="zoo")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("more", [[], ["--baseline", "local"]])
def test_the_training_of_a_shipped_model_is_a_command(zoo, name, more):
    train = typer.main.get_command(cli).commands["train"]
    words = [*shlex.split(zoo["RECIPES"][name].training), *more, "--name", name, "-o", "folder"]
    options = train.make_context("train", words).params
    assert options["name"] == name
    assert options["scale_jitter"] == 1


def test_no_landscape_is_trained_on_and_tested_with(zoo):
    seeds = [Path(folder).name for folder in zoo["LANDSCAPES"]]
    assert len(set(seeds)) == len(seeds)
