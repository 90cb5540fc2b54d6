"""``napari-relay export`` writes a prediction in the formats of other programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.cli.export_options import FORMAT_NAMES
from napari_relay.exporting.formats import FORMATS, format_of
from napari_relay.images import open_image
from napari_relay.inference import PredictionStore, predict
from napari_relay.inference.fingerprints import model_fingerprint
from napari_relay.session import Session
from napari_relay.sessions import FileReference, ImageEntry, ImageReference, Manifest
from napari_relay.sessions.formats import write_manifest
from napari_relay.sessions.manifest import ModelReference
from relay_tokens import UserError, load_model


@pytest.fixture
def store(run, photo, tiny_model, tmp_path) -> Path:
    """A whole prediction of the photo, beside it."""
    path = tmp_path / "photo.zarr"
    assert run("predict", photo, "-m", tiny_model, "-o", path).exit_code == 0
    return path


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_help_names_every_format():
    assert tuple(one.name for one in FORMATS) == FORMAT_NAMES


def test_one_format_is_written_to_the_file_that_is_named(run, store, photo, tmp_path):
    result = run("export", store, "-o", tmp_path / "mask.tif")
    assert result.exit_code == 0, result.output
    assert f"Wrote {tmp_path / 'mask.tif'}" in result.stdout
    kept = PredictionStore.open(store).read_labels(open_image(photo).window)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "mask.tif"), kept)


def test_several_formats_go_into_a_folder_under_the_image_s_name(run, store, tmp_path):
    result = run("export", store, "-f", "cog,ome-tiff,png", "-o", tmp_path / "results")
    assert result.exit_code == 0, result.output
    found = {path.name for path in (tmp_path / "results").iterdir()}
    assert found >= {"photo-classes.tif", "photo-classes.ome.tif", "photo-classes.png"}


def test_the_confidence_is_a_quantity_of_its_own(run, store, tmp_path):
    run("export", store, "-f", "cog", "--quantity", "confidence", "-o", tmp_path / "results")
    values = tifffile.imread(tmp_path / "results" / "photo-confidence.tif")
    assert values.min() > 0
    assert values.max() > 1


def test_what_the_store_does_not_keep_is_one_sentence(run, store, tmp_path):
    out = tmp_path / "p.tif"
    result = run("export", store, "-f", "cog", "--quantity", "probabilities", "-o", out)
    assert result.exit_code == 1
    assert "keeps no probabilities" in words(result.stderr)
    assert not out.exists()


def test_a_raster_within_polygons_is_cut_to_the_window_around_them(run, store, tmp_path):
    ring = [[10.5, 20.5], [40, 20.5], [40, 50], [10.5, 50], [10.5, 20.5]]
    area = tmp_path / "area.geojson"
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    run("export", store, "-o", tmp_path / "part.tif", "--within", area)
    assert tifffile.imread(tmp_path / "part.tif").shape == (30, 30)


def test_an_image_that_lies_elsewhere_must_be_named(run, store, photo, tmp_path):
    moved = tmp_path / "elsewhere" / "store.zarr"
    moved.parent.mkdir()
    (tmp_path / "far").mkdir()
    image = Path(shutil.move(photo, tmp_path / "far" / "photo.tif"))
    shutil.move(store, moved)
    refused = run("export", moved, "-o", tmp_path / "mask.tif")
    assert refused.exit_code == 1
    assert "was predicted from photo.tif, which is not beside it" in words(refused.stderr)
    assert run("export", moved, image, "-o", tmp_path / "mask.tif").exit_code == 0


def test_another_image_is_refused(run, store, tiny_model, tmp_path):
    other = tmp_path / "other.tif"
    tifffile.imwrite(other, np.zeros((90, 110, 3), np.uint8), photometric="rgb", tile=(64, 64))
    result = run("export", store, other, "-m", tiny_model, "-o", tmp_path / "mask.tif")
    assert result.exit_code == 1
    assert "was predicted from another image (photo.tif)" in words(result.stderr)


def test_another_model_than_the_one_that_predicted_is_refused(run, store, tmp_path):
    result = run("export", store, "-m", "tissue-vit-tiny", "-o", tmp_path / "mask.tif")
    assert result.exit_code == 1
    assert "was made by other weights of tiny" in words(result.stderr)


@pytest.mark.parametrize(
    ("options", "status", "sentence"),
    [
        (["-o", "mask.xyz"], 1, "does not say its format"),
        (["-f", "cog,docx", "-o", "x"], 1, "'docx' is no format"),
        (["-f", "cog,png", "-o", "mask.tif"], 2, "is one file, and 2 are asked for"),
        (["-f", "cog", "--min-area", "5", "-o", "x"], 2, "--min-area does not concern cog"),
        (["-f", "log", "-o", "x.csv"], 1, "Nothing of photo.tif is corrected"),
    ],
)
def test_mistakes_are_one_sentence(run, store, tmp_path, monkeypatch, options, status, sentence):
    monkeypatch.chdir(tmp_path)
    result = run("export", store, *options)
    assert result.exit_code == status, result.output
    plain = words(result.stderr.replace("│", " "))
    assert sentence in plain
    assert "Traceback" not in result.output


@pytest.mark.parametrize("what", ["nowhere.zarr", "photo.tif"])
def test_what_is_no_prediction_is_one_sentence(run, photo, tmp_path, what):
    result = run("export", tmp_path / what, "-o", tmp_path / "mask.tif")
    assert result.exit_code == 1
    assert len(words(result.stderr).split(". ")) == 1


def test_the_longest_suffix_tells_the_format(tmp_path):
    assert format_of(Path("a.tif")).name == "cog"
    assert format_of(Path("a.OME.TIF")).name == "ome-tiff"
    assert format_of(Path("a.geojson")).name == "geojson"
    assert format_of(Path("a.qupath.geojson")).name == "qupath"
    with pytest.raises(UserError, match="does not say its format"):
        format_of(Path("a"))


@pytest.fixture
def session(photo, tiny_model, tmp_path) -> Path:
    """A session with a prediction and corrections of the photo."""
    folder = tmp_path / "study.relay"
    image, checkpoint = open_image(photo), load_model(tiny_model)
    work = Session(image, folder / "images" / "photo")
    work.use_model(checkpoint)
    list(predict(checkpoint, image, work.store, None, work.options))
    corrections = work.corrections
    corrections.write(image.window._replace(height=5, width=7), np.ones((5, 7), np.uint8))
    corrections.log.add("brush", image.window._replace(height=5, width=7), {1: 35}, {1: "tissue"})
    corrections.flush()
    model = ModelReference(
        "tiny", FileReference.of(tiny_model, folder), model_fingerprint(checkpoint)
    )
    reference = ImageReference((FileReference.of(photo, folder),), work.files.fingerprint)
    write_manifest(folder, Manifest((ImageEntry("photo.tif", "images/photo", reference, model),)))
    work.close()
    return folder


def test_a_session_gives_its_prediction_and_its_corrections(run, session, tmp_path):
    out = tmp_path / "results"
    result = run("export", session, "-f", "cog,corrections,log", "-o", out)
    assert result.exit_code == 0, result.output
    assert (tifffile.imread(out / "photo-classes.tif") < 2).all()
    painted = tifffile.imread(out / "photo-corrections.tif")
    assert (painted[:5, :7] == 1).all()
    assert (painted == 255).sum() == painted.size - 35
    assert "brush" in (out / "photo-corrections.csv").read_text()


def test_a_store_within_a_session_finds_its_image_there(run, session, tmp_path):
    inner = next((session / "images" / "photo" / "predictions").iterdir())
    result = run("export", inner, "-o", tmp_path / "mask.tif")
    assert result.exit_code == 0, result.output


def test_a_session_without_a_prediction_says_so(run, session, tmp_path):
    shutil.rmtree(session / "images" / "photo" / "predictions")
    result = run("export", session, "-o", tmp_path / "mask.tif")
    assert result.exit_code == 1
    assert "holds no prediction" in words(result.stderr)
