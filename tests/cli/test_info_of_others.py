"""``napari-relay info`` says of every file what it is."""

from __future__ import annotations

import json

import numpy as np
import pytest
import tifffile

from napari_relay.annotation import CorrectionStore
from napari_relay.exporting import export_labels
from napari_relay.geometry import Window
from napari_relay.sessions import ImageEntry, ImageReference, Manifest
from napari_relay.sessions.formats import write_manifest
from napari_relay.sessions.manifest import ModelReference
from relay_tokens import ClassSchema

CLASSES = ClassSchema.from_names(["soil", "mound [1]"])


def words_of(result) -> str:
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def test_an_image_in_metres_shows_its_crs(run, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    path = tmp_path / "ortho.tif"
    kind = {"driver": "GTiff", "width": 50, "height": 40, "count": 3, "dtype": "uint8"}
    place = rasterio.Affine(0.5, 0, 400_000, 0, -0.5, 1_500_000)
    with rasterio.open(path, "w", **kind, crs="EPSG:32648", transform=place) as file:
        file.write(np.zeros((3, 40, 50), np.uint8))
    text = words_of(run("info", path))
    assert "what image" in text
    assert "50 × 40 px" in text
    assert "pixel size 0.5 m" in text
    assert "CRS EPSG:32648" in text


def test_a_prediction_store(run, photo, tiny_model, tmp_path):
    store = tmp_path / "photo.zarr"
    run("predict", photo, "-m", tiny_model, "-o", store, "--window", "0,0,10,10")
    text = words_of(run("info", store))
    assert "what prediction store" in text
    assert "of the image photo.tif" in text
    assert "by the model tiny" in text
    assert "classes background, tissue" in text
    assert "keeps classes, confidence, entropy, attention" in text


def test_a_session(run, tmp_path):
    reference = ImageReference((), "0" * 16)
    model = ModelReference("tiny", None, "1" * 16, (2, 0))
    entry = ImageEntry("photo.tif", "images/photo", reference, model)
    write_manifest(tmp_path / "study.relay", Manifest((entry,)))
    text = words_of(run("info", tmp_path / "study.relay"))
    assert "session of napari-relay" in text
    assert "photo.tif: tiny, version 2" in text


def test_a_model_folder(run, tiny_model):
    text = words_of(run("info", tiny_model))
    assert "what model of napari-relay" in text
    assert "bands red, green, blue" in text
    assert "classes background, tissue" in text


def test_a_class_mask_names_its_classes(run, tmp_path):
    export_labels(np.zeros((60, 70), np.uint8), tmp_path / "mask.tif", CLASSES)
    text = words_of(run("info", tmp_path / "mask.tif"))
    assert "class mask written by napari-relay" in text
    assert "classes soil, mound [1]" in text
    assert "70 × 60 px" in text


def test_corrections(run, tmp_path):
    store = CorrectionStore.create(tmp_path / "c", (90, 110), CLASSES, "stamp")
    store.write(Window(0, 0, 5, 7), np.ones((5, 7), np.uint8))
    store.flush()
    text = words_of(run("info", tmp_path / "c"))
    assert "corrections painted in napari-relay" in text
    assert "corrected 35 px" in text


def test_a_vector_file(run, tmp_path):
    pytest.importorskip("pyogrio")
    ring = [[0, 0], [1, 0], [1, 1], [0, 0]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "geometry": shape, "properties": {"class": "mound"}}
    path = tmp_path / "mounds.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature] * 2}))
    text = words_of(run("info", path))
    assert "what vector file" in text
    assert "mounds: 2 features (Polygon)" in text
    assert "columns class" in text
    assert "CRS EPSG:4326" in text


@pytest.mark.parametrize(
    ("name", "content"),
    [("gone.tif", None), ("broken.gpkg", b"x"), ("notes.txt", b"x"), ("empty.geojson", b"")],
)
def test_anything_else_is_one_sentence(run, tmp_path, name, content):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    result = run("info", tmp_path / name)
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert name in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_an_image_that_was_not_written_by_us_is_an_image(run, tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((60, 70), np.uint8), tile=(64, 64))
    assert "what image" in words_of(run("info", tmp_path / "a.tif"))
