"""Models as packages of the BioImage Model Zoo, whole or not at all."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from napari_relay.exporting.models import ModelExportOptions, export_model
from napari_relay.exporting.models.description import INPUT_IDS, OUTPUT_IDS, describe_package
from napari_relay.exporting.models.sample_crops import InputScaling
from napari_relay.exporting.models.usage import beforehand, usage_text
from napari_relay.inference import CropPair
from napari_relay.training.base_tiles import BaseTiles, write_base_tiles
from napari_relay.training.examples import Example
from relay_tokens import Checkpoint, UserError, load_model
from tests.colors import untrained

pytest.importorskip("bioimageio.core")

CHECK = """
import sys
from bioimageio.core import test_model
summary = test_model(sys.argv[1], devices=["cpu"])
print(summary.status, [detail.name for detail in summary.details])
sys.exit(summary.status != "passed")
"""
"""Runs their own test of a package, in a process without this one's strictness on warnings."""


def checkpoint() -> Checkpoint:
    kept = untrained()
    ways = ("fixed", "local", "image")
    training = {"licence": "BSD-3-Clause"}
    metadata = replace(kept.metadata, normalization=ways, training=training)
    return replace(kept, metadata=metadata)


def with_tiles(path: Path) -> Checkpoint:
    """With one tile of what it would have been trained on."""
    crops = np.random.default_rng(0).normal(size=(2, 3, 64, 64)).astype(np.float32)
    pair = CropPair(crops[0], crops[1], np.ones((64, 64), np.bool_))
    write_base_tiles(path, BaseTiles((Example(pair, np.ones((64, 64), np.uint8)),), (), ()))
    return replace(checkpoint(), base_tiles=path)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("package")
    path = folder / "m.bioimageio.zip"
    kept = with_tiles(folder / "base_tiles.npz")
    steps = list(export_model(kept, path, ModelExportOptions(authors=("A. Person",))))
    assert [(step.done, step.total) for step in steps] == [(0, 1), (1, 1)]
    return path


@pytest.mark.slow
def test_their_own_library_finds_the_package_valid_and_reproduces_it(package: Path) -> None:
    command = [sys.executable, "-c", CHECK, str(package)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Reproduce test outputs from test inputs (onnx)" in done.stdout


def test_the_package_gives_the_very_same_model_back(package: Path) -> None:
    kept, found = checkpoint(), load_model(package)
    assert found.metadata == kept.metadata
    for name, value in kept.model.state_dict().items():
        assert value.equal(found.model.state_dict()[name])


def test_pixels_bands_paper_and_licence_are_described(package: Path) -> None:
    from yaml import safe_load

    with zipfile.ZipFile(package) as opened:
        said = safe_load(opened.read("rdf.yaml"))
    local, wide = said["inputs"]
    assert [axis.get("scale") for axis in local["axes"][2:]] == [0.5, 0.5]
    assert [axis.get("scale") for axis in wide["axes"][2:]] == [1.0, 1.0]
    assert local["axes"][2]["unit"] == "micrometer"
    assert local["axes"][1]["channel_names"] == ["red", "green", "blue"]
    assert said["outputs"][0]["axes"][1]["channel_names"] == ["dark", "light", "red"]
    (scaling,) = (p for p in local["preprocessing"] if p["id"] != "ensure_dtype")
    assert scaling["kwargs"]["mean"] == [120.0, 0.0, 0.0]
    assert scaling["kwargs"]["std"] == [80.0, 80.0, 1.0]
    assert said["license"] == "BSD-3-Clause"
    assert said["cite"][0]["doi"].endswith("2601.05927")
    assert [author["name"] for author in said["authors"]] == ["A. Person"]


def test_the_picture_is_small_and_twice_as_wide_as_high(package: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(package) as opened:
        opened.extract("cover.png", tmp_path)
    with Image.open(tmp_path / "cover.png") as cover:
        assert cover.width == 2 * cover.height
    assert (tmp_path / "cover.png").stat().st_size < 500_000


def test_training_tiles_stay_at_home_unless_they_are_asked_for(
    package: Path, tmp_path: Path
) -> None:
    assert load_model(package).base_tiles is None
    kept = with_tiles(tmp_path / "base_tiles.npz")
    list(export_model(kept, tmp_path / "with.zip", ModelExportOptions(training_tiles=True)))
    found = load_model(tmp_path / "with.zip").base_tiles
    assert kept.base_tiles is not None
    assert found is not None
    assert found.read_bytes() == kept.base_tiles.read_bytes()


def test_what_their_description_cannot_say_is_in_the_card(package: Path) -> None:
    with zipfile.ZipFile(package) as opened:
        card = opened.read("README.md").decode()
    assert card.endswith(usage_text(checkpoint()))
    assert "In green: subtract the mean over the valid pixels of the global crop" in card
    assert "In blue: subtract the mean of the whole image" in card
    assert beforehand(untrained().metadata) == []


def test_scaling_is_undone_exactly() -> None:
    scaling = InputScaling.of(checkpoint().metadata)
    crop = np.ones((3, 2, 2), np.float32)
    assert scaling.undone(crop)[:, 0, 0].tolist() == [200.0, 80.0, 1.0]


def test_what_was_there_stays_when_the_check_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.pt2"
    path.write_text("old")
    monkeypatch.setattr("relay_tokens.interchange.sameness.TOLERANCE", -1.0)
    with pytest.raises(UserError, match="was not kept"):
        list(export_model(checkpoint(), path))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_licence_that_is_none_of_theirs_is_left_out(tmp_path: Path) -> None:
    names = ("weights", "card", "cover", *INPUT_IDS, *OUTPUT_IDS)
    files = {name: tmp_path / name for name in names}
    described = describe_package(checkpoint(), files, ModelExportOptions(licence="my own"))
    assert described["license"] is None


@pytest.mark.parametrize("name", ["x", "Überblick: v2.1", "long " * 40])
def test_any_name_of_a_model_becomes_one_that_they_allow(name: str, tmp_path: Path) -> None:
    kept = checkpoint()
    kept = replace(kept, metadata=replace(kept.metadata, name=name))
    names = ("weights", "card", "cover", *INPUT_IDS, *OUTPUT_IDS)
    files = {each: tmp_path / each for each in names}
    found = describe_package(kept, files, ModelExportOptions())["name"]
    assert re.fullmatch(r"[a-zA-Z0-9_+\- ()]{5,128}", found)
