"""Several rasters of one place are one image to ``predict``, ``info``, ``train`` and ``app``."""

from __future__ import annotations

import types
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from napari_relay.cli import desktop
from napari_relay.inference import PredictionStore
from relay_tokens import (
    ClassSchema,
    ModelMetadata,
    RelayConfig,
    RelaySegmenter,
    load_metadata,
    save_checkpoint,
)

SMALL = [
    *("--backbone-options", '{"depth": 1, "embed_dim": 24, "num_heads": 2}'),
    *("--crop-size", 32, "--steps", 2, "--batch-size", 2, "--evaluate-every", 1),
    *("--device", "cpu"),
]


def write(path: Path, pixels: np.ndarray, size: float, left: float, top: float) -> Path:
    """A GeoTIFF of ``(band, y, x)``."""
    place = rasterio.Affine(size, 0, left, 0, -size, top)
    about = {"driver": "GTiff", "dtype": pixels.dtype, "crs": "EPSG:32648", "transform": place}
    if len(pixels) == 3:
        about["photometric"] = "RGB"
    count, height, width = pixels.shape
    with rasterio.open(path, "w", height=height, width=width, count=count, **about) as file:
        file.write(pixels)
    return path


@pytest.fixture
def survey(tmp_path: Path) -> list[Path]:
    """An orthophoto of 1 m, and a terrain model of 3 m that begins 10 m further."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (3, 140, 150), dtype=np.uint8)
    heights = rng.normal(200, 5, (1, 60, 60)).astype(np.float32)
    return [
        write(tmp_path / "ortho.tif", photo, 1.0, 1000.0, 9000.0),
        write(tmp_path / "dtm.tif", heights, 3.0, 1010.0, 8990.0),
    ]


@pytest.fixture(scope="session")
def survey_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights for an orthophoto with elevation."""
    folder = tmp_path_factory.mktemp("models") / "survey"
    options = {"depth": 1, "embed_dim": 24, "num_heads": 2}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = RelayConfig(
            "vit_tiny_patch16_224", 2, in_channels=4, crop_size=64, backbone_options=options
        )
        model = RelaySegmenter(config)
    metadata = ModelMetadata(
        name="survey",
        classes=ClassSchema.from_names(["ground", "mound"]),
        bands=("red", "green", "blue", "elevation"),
        mean=(127.0, 127.0, 127.0, 0.0),
        std=(60.0, 60.0, 60.0, 5.0),
        normalization=("fixed", "image", "fixed", "local"),
    )
    save_checkpoint(folder, model, metadata)
    return folder


def test_a_mask_of_two_rasters_lies_on_their_common_grid(run, survey, survey_model, tmp_path):
    result = run("predict", *survey, "-m", survey_model, "-o", tmp_path / "mask.tif")
    assert result.exit_code == 0, result.output
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert mask.crs == "EPSG:32648"
        assert tuple(mask.transform)[:6] == (1.0, 0.0, 1010.0, 0.0, -1.0, 8990.0)
        assert mask.shape == (130, 140)
        assert set(np.unique(mask.read(1))) <= {0, 1}


def test_a_stack_is_resumed_only_with_the_same_rasters(run, survey, survey_model, tmp_path):
    store, part = tmp_path / "store.zarr", ("--window", "0,0,10,10")
    run("predict", *survey, "-m", survey_model, "-o", store, *part)
    done = PredictionStore.open(store).finished.sum()
    again = run("predict", *survey, "-m", survey_model, "-o", store)
    assert f"{done} of" in again.stderr
    other = write(tmp_path / "other.tif", np.zeros((1, 60, 61), np.float32), 3.0, 1010.0, 8990.0)
    refused = run("predict", survey[0], other, "-m", survey_model, "-o", store)
    assert refused.exit_code == 1


def test_a_lone_raster_is_refused_by_a_model_of_both(run, survey, survey_model, tmp_path):
    result = run("predict", survey[0], "-m", survey_model, "-o", tmp_path / "mask.tif")
    assert result.exit_code == 1
    assert "has 3 bands" in result.stderr


def test_rasters_of_other_places_are_refused(run, survey, survey_model, tmp_path):
    far = write(tmp_path / "far.tif", np.zeros((1, 9, 9), np.float32), 1.0, 9e4, 9e4)
    result = run("predict", survey[0], far, "-m", survey_model, "-o", tmp_path / "mask.tif")
    assert result.exit_code == 1
    assert "do not overlap" in " ".join(result.stderr.split())


def test_info_shows_all_files_and_all_bands(run, survey):
    result = run("info", *survey)
    assert result.exit_code == 0, result.output
    text = "".join(result.stdout.split())
    assert "4(red,green,blue,elevation)" in text
    assert "140×130px" in text
    assert all(path.name in text for path in survey)


@pytest.mark.slow
def test_a_model_trained_on_a_stack_sees_terrain_around_its_local_mean(run, survey, tmp_path):
    mask = np.zeros((1, 130, 140), np.uint8)
    mask[:, :, 70:] = 1
    labels = write(tmp_path / "labels.tif", mask, 1.0, 1010.0, 8990.0)
    words = ["--labels", labels, "--classes", "ground,mound", "--name", "survey"]
    result = run("train", *survey, *words, "-o", tmp_path / "survey", *SMALL)
    assert result.exit_code == 0, result.output
    metadata = load_metadata(tmp_path / "survey")
    assert metadata.bands == ("red", "green", "blue", "elevation")
    assert metadata.normalization == ("fixed", "fixed", "fixed", "local")
    assert metadata.training["image"] == "ortho.tif + dtm.tif"
    assert 60 < metadata.std[0] < 90
    assert 1 < metadata.std[3] < 6


@pytest.mark.parametrize("words", [[], ["--stack"]])
def test_the_app_is_told_whether_images_are_one(run, survey, monkeypatch, words):
    asked = []
    window = types.ModuleType("window")
    window.run_app = lambda images, model, *, stack: asked.append((images, stack)) or 0
    monkeypatch.setattr(desktop, "_desktop", lambda: window)
    assert run("app", *survey, *words).exit_code == 0
    assert asked == [(survey, bool(words))]
