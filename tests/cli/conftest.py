"""A tiny model and tiny images, and a way to run commands on them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from typer.testing import CliRunner

from napari_relay.cli import cli
from relay_tokens import ClassSchema, ModelMetadata, RelayConfig, RelaySegmenter, save_checkpoint

Run = Callable[..., Any]
ROWS, COLS = 90, 110


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAPARI_RELAY_HOME", str(tmp_path / "home"))


@pytest.fixture
def run() -> Run:
    """Run ``napari-relay`` with some words; the result has exit_code, stdout, stderr."""

    def invoke(*words: object) -> Any:
        return CliRunner().invoke(cli, [str(word) for word in words])

    return invoke


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """Three bands of noise, without levels."""
    path = tmp_path / "photo.tif"
    pixels = np.random.default_rng(0).integers(0, 255, (ROWS, COLS, 3), dtype=np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64))
    return path


@pytest.fixture
def terrain(tmp_path: Path) -> Path:
    """One float band."""
    path = tmp_path / "terrain.tif"
    heights = np.random.default_rng(1).normal(100, 5, (ROWS, COLS)).astype(np.float32)
    tifffile.imwrite(path, heights, tile=(64, 64))
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights for three bands and two classes, in a model's folder."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = RelayConfig(
            backbone="vit_tiny_patch16_224",
            num_classes=2,
            crop_size=64,
            backbone_options={"depth": 1, "embed_dim": 24, "num_heads": 2},
        )
        model = RelaySegmenter(config)
    metadata = ModelMetadata(
        name="tiny",
        classes=ClassSchema.from_names(["background", "tissue"]),
        bands=("red", "green", "blue"),
        mean=(127.0, 127.0, 127.0),
        std=(60.0, 60.0, 60.0),
    )
    save_checkpoint(folder, model, metadata)
    return folder
