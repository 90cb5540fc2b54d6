"""One tiny trained model that several tests look at; none may change it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest
import torch

from napari_relay.training import TrainOptions, TrainProgress, labelled_image, split_image, train
from relay_tokens import Checkpoint
from tests.training.scenes import METADATA, blobs, tiny_model


class TrainedRun(NamedTuple):
    checkpoint: Checkpoint
    progress: list[TrainProgress]


@pytest.fixture(scope="session")
def trained_run(tmp_path_factory: pytest.TempPathFactory) -> TrainedRun:
    torch.manual_seed(0)
    model = tiny_model()
    image, labels = blobs()
    options = TrainOptions(
        steps=70,
        batch_size=4,
        learning_rate=3e-3,
        schedule="cosine",
        evaluate_every=35,
        validation_crops=6,
        scale_jitter=1,
        device="cpu",
    )
    folder: Path = tmp_path_factory.mktemp("trained")
    split = split_image(image.shape, 64, 0.2, 0, labels)
    images = [labelled_image(image, labels, split)]
    progress = list(train(model, METADATA, images, options, folder))
    return TrainedRun(Checkpoint(model, METADATA), progress)


@pytest.fixture
def trained(trained_run: TrainedRun) -> Checkpoint:
    return trained_run.checkpoint
