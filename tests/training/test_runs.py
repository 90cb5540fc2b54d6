from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from napari_relay.training import ModelOptions, TrainOptions, image_data, train_model
from relay_tokens import UserError, load_checkpoint
from tests.training.scenes import blobs

MODEL = ModelOptions(
    name="squares",
    backbone_options={"embed_dim": 48, "depth": 1, "num_heads": 3},
    crop_size=64,
    command="napari-relay train image.tif",
)
NAMES = ("dark", "light", "red")
OPTIONS = TrainOptions(steps=2, batch_size=2, evaluate_every=2, validation_crops=2, device="cpu")


@pytest.fixture
def image(tmp_path: Path) -> Path:
    pyramid, labels = blobs()
    tifffile.imwrite(
        tmp_path / "image.tif", pyramid.levels[0].compute(), photometric="rgb", tile=(64, 64)
    )
    tifffile.imwrite(tmp_path / "mask.tif", np.asarray(labels.array), tile=(64, 64))
    return tmp_path / "image.tif"


def test_a_run_leaves_a_model_and_its_card(image: Path, tmp_path: Path) -> None:
    data = image_data([image], str(tmp_path / "mask.tif"), NAMES, 64, 0.2, 0)
    assert [p.step for p in train_model(data, tmp_path / "out", MODEL, OPTIONS)] == [1, 2]
    checkpoint = load_checkpoint(tmp_path / "out")
    assert checkpoint.metadata.name == "squares"
    assert checkpoint.metadata.bands == ("red", "green", "blue")
    assert 50 < checkpoint.metadata.mean[0] < 200
    card = (tmp_path / "out" / "README.md").read_text(encoding="utf-8")
    miou = checkpoint.metadata.training["held_out"]["miou"]
    for expected in ("# squares", "`napari-relay train image.tif`", f"**{miou:.3f}**", "BSD"):
        assert expected in card


def test_labels_that_are_neither_recipe_nor_file_are_refused(image: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.tif.*stain, slope"):
        image_data([image], "nothing.tif", NAMES, 64, 0.2, 0)
