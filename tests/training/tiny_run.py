"""A training run of a second, which several tests start, stop and start again."""

from __future__ import annotations

import csv
from collections.abc import Generator
from pathlib import Path
from typing import cast

import torch

from napari_relay.training import (
    LabelledImage,
    TrainOptions,
    TrainProgress,
    labelled_image,
    split_image,
    train,
)
from relay_tokens import RelayConfig, RelaySegmenter
from tests.training.scenes import METADATA, blobs

OPTIONS = TrainOptions(
    steps=6,
    batch_size=4,
    evaluate_every=2,
    save_every=2,
    validation_crops=2,
    scale_jitter=1,
    device="cpu",
    plots=False,
)


def small_model(**backbone: float) -> RelaySegmenter:
    """A model of one block, with the same weights each time."""
    options = {"embed_dim": 24, "depth": 1, "num_heads": 2} | backbone
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return RelaySegmenter(
            RelayConfig(
                "vit_tiny_patch16_224",
                num_classes=3,
                crop_size=32,
                context_factor=2,
                backbone_options=options,
            )
        )


def images() -> list[LabelledImage]:
    """One image, a fifth of which is held out."""
    image, labels = blobs(160)
    return [labelled_image(image, labels, split_image(image.shape, 32, 0.2, 0, labels))]


def start(
    folder: Path, options: TrainOptions = OPTIONS, model: RelaySegmenter | None = None
) -> Generator[TrainProgress]:
    """Start or resume a run."""
    run = train(model or small_model(), METADATA, images(), options, folder)
    return cast("Generator[TrainProgress]", run)


def weights(folder: Path) -> bytes:
    """The best weights of a run, as they are on disk."""
    return (folder / "best" / "model.safetensors").read_bytes()


def rows(file: Path) -> list[dict[str, str]]:
    """The lines of a table."""
    with file.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def steps(file: Path) -> list[int]:
    """The steps of a table's lines."""
    return [int(row["step"]) for row in rows(file)]
