"""From labelled images to a trained model in a folder, in one call."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch

from napari_relay.inference.devices import choose_device
from napari_relay.training.base_tile_draw import draw_base_tiles
from napari_relay.training.base_tiles import write_base_tiles
from napari_relay.training.card import model_card
from napari_relay.training.options import TrainOptions
from napari_relay.training.processes import Processes
from napari_relay.training.run_folder import BEST
from napari_relay.training.training import TrainProgress, train
from napari_relay.training.training_data import TrainingData
from relay_tokens import (
    Checkpoint,
    ModelMetadata,
    RelayConfig,
    RelaySegmenter,
    baseline_configs,
    load_checkpoint,
    save_checkpoint,
)
from relay_tokens.checkpoint import BASE_TILES
from relay_tokens.config import Exchange

Baseline = Literal["local", "global", "fusion"]
CARD = "README.md"
RUN = "run"


@dataclass(frozen=True)
class ModelOptions:
    """What kind of model is trained."""

    name: str = "model"
    """Short name of the model."""
    backbone: str = "vit_tiny_patch16_224"
    """A timm model name."""
    backbone_options: Mapping[str, Any] = field(default_factory=lambda: {"depth": 6})
    """Further arguments of ``timm.create_model``."""
    crop_size: int = 256
    """Side of both crops, in pixels."""
    context_factor: int | None = 4
    """Side of the global window over that of the local one; None: single-scale."""
    num_relay_tokens: int = 4
    """Learnable tokens between the branches."""
    exchange: Exchange = "sequential"
    """How relay tokens go from branch to branch (see :class:`relay_tokens.RelayConfig`)."""
    baseline: Baseline | None = None
    """Train the baseline of this model (:func:`relay_tokens.baseline_configs`) instead."""
    licence: str = "BSD-3-Clause"
    """Of the weights."""
    limits: str = "On images from elsewhere its scores are unknown."
    """For the model card: what the model was not made for."""
    command: str = ""
    """The command line that started the training, for the model card."""


def train_model(
    data: TrainingData,
    output: str | Path,
    model: ModelOptions | None = None,
    options: TrainOptions | None = None,
) -> Iterator[TrainProgress]:
    """Train a model and write it with its card.

    ``output`` gets ``model.safetensors``, ``config.json``, ``README.md`` (the model card)
    and ``base_tiles.npz`` (see :mod:`napari_relay.training.base_tiles`) when the
    training is done, and the folder ``run`` from the first
    step on (see :mod:`napari_relay.training.run_folder`). The same call on the
    same folder resumes.

    Parameters
    ----------
    data
        What is learnt: :func:`napari_relay.training.image_data` or
        :func:`napari_relay.training.dataset_data`, with the model's crop size.
    output
        Folder of the model; made when it is not there.
    model, options
        What is trained, and how.

    Yields
    ------
    TrainProgress
        After every step.

    Raises
    ------
    UserError
        When a file, name or setting does not fit; it says what to do.
    """
    model, options = model or ModelOptions(), options or TrainOptions()
    config = model_config(data, model)
    metadata = _metadata(data, model, options)
    # The generator's state is the caller's: only the new weights are drawn from the seed.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = RelaySegmenter(config)
    yield from train(network, metadata, data.images, options, Path(output) / RUN)
    if Processes.here().is_first:
        write_model(Path(output))
        keep_base_tiles(Path(output), data, options.seed)


def write_model(output: Path) -> None:
    """Put the best model of the run in ``output`` beside it, with its card."""
    save_with_card(output, load_checkpoint(output / RUN / BEST))


def keep_base_tiles(folder: Path, data: TrainingData, seed: int = 0) -> None:
    """Put some of the training data beside a model, so that fine-tuning can remind it of them.

    Parameters
    ----------
    folder
        Of the model.
    data
        What it was trained on.
    seed
        Of the choice.
    """
    checkpoint = load_checkpoint(folder)
    tiles = draw_base_tiles(data.images, checkpoint.model.config, checkpoint.metadata, seed)
    if tiles.learnt and tiles.measured:
        write_base_tiles(folder / BASE_TILES, tiles)


def save_with_card(folder: Path, checkpoint: Checkpoint) -> None:
    """Write a model and its card into a folder."""
    network, metadata = checkpoint.model, checkpoint.metadata
    save_checkpoint(folder, network, metadata, checkpoint.base_tiles)
    parameters = sum(p.numel() for p in network.parameters())
    scratch = folder / (CARD + ".part")
    scratch.write_text(model_card(network.config, metadata, parameters), encoding="utf-8")
    scratch.replace(folder / CARD)


def model_config(data: TrainingData, model: ModelOptions) -> RelayConfig:
    """What a model for some data is made of."""
    config = RelayConfig(
        backbone=model.backbone,
        num_classes=len(data.classes),
        in_channels=len(data.bands),
        crop_size=model.crop_size,
        context_factor=model.context_factor,
        num_relay_tokens=model.num_relay_tokens,
        exchange=model.exchange,
        backbone_options=dict(model.backbone_options),
    )
    if model.baseline is None:
        return config
    baselines = baseline_configs(config)
    return {"local": baselines.local, "global": baselines.global_, "fusion": baselines.fusion}[
        model.baseline
    ]


def _metadata(data: TrainingData, model: ModelOptions, options: TrainOptions) -> ModelMetadata:
    statistics = data.statistics()
    record = {
        "image": data.description,
        "labels": data.labels,
        "measured_on": data.held_out,
        "command": model.command,
        "device": f"{choose_device(options.device)}, {os.cpu_count()} cores",
        "limits": model.limits,
        "licence": model.licence,
    }
    return ModelMetadata(
        name=model.name,
        classes=data.classes,
        bands=data.bands,
        mean=statistics.mean,
        std=statistics.std,
        normalization=data.normalization,
        pixel_size=data.pixel_size,
        unit=data.unit,
        training=record,
    )
