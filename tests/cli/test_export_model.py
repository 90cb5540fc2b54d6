"""``napari-relay export-model``."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Run


def test_a_model_is_written_and_said_to_be(run: Run, tiny_model: Path, tmp_path: Path) -> None:
    done = run("export-model", tiny_model, "-o", tmp_path / "m.pt2")
    assert done.exit_code == 0, done.stderr
    assert "Wrote" in done.stdout
    assert torch.export.load(tmp_path / "m.pt2") is not None


def test_a_package_names_its_authors_and_predicts(
    run: Run, tiny_model: Path, photo: Path, tmp_path: Path
) -> None:
    pytest.importorskip("bioimageio.spec")
    package = tmp_path / "m.bioimageio.zip"
    words = ("--author", "A. Person", "--author", "B. Person", "--licence", "CC-BY-4.0")
    done = run("export-model", tiny_model, "-o", package, *words)
    assert done.exit_code == 0, done.stderr
    said = zipfile.ZipFile(package).read("rdf.yaml").decode()
    assert "A. Person" in said
    assert "B. Person" in said
    assert "license: CC-BY-4.0" in said
    masks = []
    for model in (tiny_model, package):
        masks.append(tmp_path / f"{len(masks)}.tif")
        done = run("predict", photo, "-m", model, "-o", masks[-1])
        assert done.exit_code == 0, done.stderr
    assert masks[0].read_bytes() == masks[1].read_bytes()


@pytest.mark.parametrize(("name", "words"), [("m.h5", "no suffix"), ("no/m.onnx", "no folder")])
def test_a_bad_output_is_refused_before_the_work(
    run: Run, tiny_model: Path, tmp_path: Path, name: str, words: str
) -> None:
    done = run("export-model", tiny_model, "-o", tmp_path / name)
    assert done.exit_code == 1
    assert words in done.stderr
