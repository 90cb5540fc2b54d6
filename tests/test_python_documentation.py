"""The documented Python runs, and says what it is documented to say."""

from __future__ import annotations

import doctest
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

import napari_relay
from napari_relay import api
from napari_relay.samples import sample_slide
from relay_tokens import UserError
from tests.colors import untrained, write_picture

ROOT = Path(__file__).parents[1]


def run(examples: doctest.DocTest) -> doctest.TestResults:
    """Run examples; what fails is printed and shown by pytest."""
    return doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(examples)


@pytest.mark.slow
def test_the_page_on_python_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = np.full((2967, 2220), 255, np.uint8)
    said[1000:1040, 900:940] = 1
    tifffile.imwrite("corrected.tif", said)
    options = api.FinetuneOptions(trains="head", steps=1, replayed=1)
    text = (ROOT / "docs" / "python.md").read_text(encoding="utf-8").replace("```", "")
    names = {"slide": sample_slide(), "options": options}
    examples = doctest.DocTestParser().get_doctest(text, names, "python.md", "python.md", 0)
    found = run(examples)
    assert found.attempted > 15
    assert found.failed == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "examples",
    [each for each in doctest.DocTestFinder().find(api) if each.examples],
    ids=lambda each: each.name,
)
def test_the_examples_of_the_functions_run(
    examples: doctest.DocTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(examples).failed == 0


def test_importing_napari_relay_loads_nothing_heavy_until_it_is_used() -> None:
    code = (
        "import json, sys, napari_relay; before = sorted(sys.modules); napari_relay.open_image; "
        "print(json.dumps([before, sorted(sys.modules)]))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    before, after = (set(each) for each in json.loads(out.stdout))
    assert not before & {"torch", "numpy", "dask", "napari", "qtpy"}
    assert "torch" in after
    assert not after & {"napari", "qtpy", "PyQt5", "PyQt6", "magicgui"}


def test_the_package_offers_the_names_of_the_api() -> None:
    assert set(napari_relay._OFFERED) == set(api.__all__)
    assert set(api.__all__) <= set(dir(napari_relay))
    assert napari_relay.predict is api.predict
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        napari_relay.nothing  # noqa: B018
    stub = (ROOT / "napari_relay" / "__init__.pyi").read_text(encoding="utf-8")
    assert all(f"    {name} as {name}," in stub for name in api.__all__)


def test_a_prediction_without_a_folder_goes_with_its_result(tmp_path: Path) -> None:
    image = api.open_image(write_picture(tmp_path / "picture.tif"))
    prediction = api.predict(image, untrained(), windows=api.Window(0, 0, 20, 20))
    folder = prediction.store.folder
    assert folder.exists()
    del prediction
    assert not folder.exists()


def test_the_same_folder_again_does_only_what_is_missing(tmp_path: Path) -> None:
    image, model = api.open_image(write_picture(tmp_path / "picture.tif")), untrained()
    seen: list[tuple[int, int]] = []
    one = api.Window(0, 0, 20, 20)
    api.predict(image, model, tmp_path / "p.zarr", one, progress=lambda *at: seen.append(at))
    assert seen[-1][0] == seen[-1][1]
    again = api.predict(image, model, tmp_path / "p.zarr", one)
    assert again.report.predicted == 0


def test_mistakes_are_one_sentence(tmp_path: Path) -> None:
    image, model = api.open_image(write_picture(tmp_path / "picture.tif")), untrained()
    with pytest.raises(UserError, match="No image was named"):
        api.open_image()
    with pytest.raises(UserError, match=r"uint8 of shape \(160, 200\)"):
        api.finetune(model, image, np.zeros((3, 3), np.uint8))
    with pytest.raises(UserError, match="There are no corrections"):
        api.finetune(model, image, tmp_path / "gone.tif")
    prediction = api.predict(image, model, windows=api.Window(0, 0, 20, 20))
    with pytest.raises(UserError, match=r"end it in \.tif or \.gpkg"):
        api.save(prediction, tmp_path / "out.doc")
