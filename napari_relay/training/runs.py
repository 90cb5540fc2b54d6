"""From an image file to a trained model in a folder, in one call."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_stack
from napari_relay.images.band_statistics import BandStatistics
from napari_relay.inference.devices import choose_device
from napari_relay.training.card import model_card
from napari_relay.training.labels import LabelSource, compute_labels
from napari_relay.training.mask_labels import MaskLabels
from napari_relay.training.normalization import estimate_normalization
from napari_relay.training.options import TrainOptions
from napari_relay.training.recipes import label_recipe, recipe_names
from napari_relay.training.run_folder import BEST
from napari_relay.training.splits import SpatialSplit, split_image
from napari_relay.training.training import TrainProgress, train
from relay_tokens import (
    ClassSchema,
    ModelMetadata,
    Normalization,
    RelayConfig,
    RelaySegmenter,
    UserError,
    load_checkpoint,
    save_checkpoint,
)

CARD = "README.md"
ELEVATION = "elevation"
"""End of the name of a band of terrain."""
RUN = "run"
IN_MEMORY = 200_000_000
"""Labels of images up to this many pixels are computed once and kept in memory."""


@dataclass(frozen=True)
class ModelOptions:
    """What kind of model is trained, and on which part of the image."""

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
    held_out: float = 0.2
    """Share of the image that is measured on instead of learnt."""
    class_names: tuple[str, ...] = ()
    """What the values 0, 1, ... of a mask file mean; recipes know theirs."""
    licence: str = "BSD-3-Clause"
    """Of the weights."""
    limits: str = "Trained on one image; on others its scores are unknown."
    """For the model card: what the model was not made for."""
    command: str = ""
    """The command line that started the training, for the model card."""


class _Task(NamedTuple):
    """What is learnt from an image."""

    labels: LabelSource
    classes: ClassSchema
    normalization: tuple[Normalization, ...]
    """One word a band."""
    description: str


def train_model(
    image_path: str | Path | Sequence[str | Path],
    labels: str,
    output: str | Path,
    model: ModelOptions | None = None,
    options: TrainOptions | None = None,
) -> Iterator[TrainProgress]:
    """Train a model on an image file and write it with its card.

    ``output`` gets ``model.safetensors``, ``config.json`` and ``README.md`` (the
    model card) when the training is done, and the folder ``run`` from the first
    step on (see :mod:`napari_relay.training.run_folder`). The same call on the
    same folder resumes.

    Parameters
    ----------
    image_path
        Any image :func:`napari_relay.images.open_image` reads, or several rasters
        of one place, which become one (:func:`napari_relay.images.open_stack`).
    labels
        Name of a recipe, or a mask file on the image's grid.
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
    paths = [image_path] if isinstance(image_path, str | Path) else image_path
    image = open_stack(paths)
    task = _task(image, labels, model)
    split = split_image(image.shape, model.crop_size, model.held_out, options.seed, task.labels)
    metadata = _metadata(image, task, split, model, options)
    # The generator's state is the caller's: only the new weights are drawn from the seed.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = RelaySegmenter(_config(image, task, model))
    yield from train(network, metadata, image, task.labels, split, options, Path(output) / RUN)
    write_model(Path(output))


def write_model(output: Path) -> None:
    """Put the best model of the run in ``output`` beside it, with its card."""
    network, metadata = (best := load_checkpoint(output / RUN / BEST)).model, best.metadata
    save_checkpoint(output, network, metadata)
    parameters = sum(p.numel() for p in network.parameters())
    scratch = output / (CARD + ".part")
    scratch.write_text(model_card(network.config, metadata, parameters), encoding="utf-8")
    scratch.replace(output / CARD)


def _task(image: PyramidImage, labels: str, model: ModelOptions) -> _Task:
    if labels in recipe_names():
        recipe = label_recipe(labels, image)
        small = image.window.area <= IN_MEMORY
        source = compute_labels(recipe, image.shape) if small else recipe
        text = f"recipe `{labels}`, computed from the image"
        words = (recipe.normalization,) * len(image.bands)
        return _Task(source, recipe.classes, words, text)
    if not Path(labels).exists():
        raise UserError(
            f"There are no labels {labels!r}; name a mask file, or one of the recipes "
            f"{', '.join(recipe_names())}."
        )
    if not model.class_names:
        raise UserError(f"The classes of the mask {labels} have no names; give one for each value.")
    classes = ClassSchema.from_names(model.class_names)
    mask = MaskLabels(labels, image, classes)
    return _Task(mask, classes, _normalization(image), f"mask `{Path(labels).name}`")


def _normalization(image: PyramidImage) -> tuple[Normalization, ...]:
    """Terrain is seen around its local mean, any other band as it is."""
    if len(image.bands) == 1 and np.issubdtype(image.dtype, np.floating):
        return ("local",)
    terrain = [band.lower().endswith(ELEVATION) for band in image.bands]
    return tuple("local" if found else "fixed" for found in terrain)


def _config(image: PyramidImage, task: _Task, model: ModelOptions) -> RelayConfig:
    return RelayConfig(
        backbone=model.backbone,
        num_classes=len(task.classes),
        in_channels=len(image.bands),
        crop_size=model.crop_size,
        context_factor=model.context_factor,
        num_relay_tokens=model.num_relay_tokens,
        backbone_options=dict(model.backbone_options),
    )


def _metadata(
    image: PyramidImage,
    task: _Task,
    split: SpatialSplit,
    model: ModelOptions,
    options: TrainOptions,
) -> ModelMetadata:
    statistics = _statistics(image, split, task.normalization)
    record = {
        "image": " + ".join(path.name for path in image.sources),
        "labels": task.description,
        "command": model.command,
        "device": f"{choose_device(options.device)}, {os.cpu_count()} cores",
        "limits": model.limits,
        "licence": model.licence,
    }
    return ModelMetadata(
        name=model.name,
        classes=task.classes,
        bands=image.bands,
        mean=statistics.mean,
        std=statistics.std,
        normalization=task.normalization,
        pixel_size=max(image.pixel_size) if image.pixel_size else None,
        unit=image.unit,
        training=record,
    )


def _statistics(
    image: PyramidImage, split: SpatialSplit, normalization: Sequence[Normalization]
) -> BandStatistics:
    """Mean and spread of each band, measured as its word in ``normalization`` asks."""
    found = {
        word: estimate_normalization(image, _sample(split, word), word)
        for word in set(normalization)
    }
    mean, std = (
        tuple(found[word][field][band] for band, word in enumerate(normalization))
        for field in (0, 1)
    )
    return BandStatistics(mean, std)


def _sample(split: SpatialSplit, normalization: str) -> list[Window]:
    """Training windows spread over the image, as wide as a local crop.

    For ``local`` a quarter of that: the relief of features, not of hills.
    """
    side = split.crop_size
    spots = [
        Window(y, x, side, side)
        for y in range(0, split.image.height, max(split.image.height // 12, 1))
        for x in range(0, split.image.width, max(split.image.width // 12, 1))
    ]
    allowed = [w for w in spots if split.allows(w)]
    if normalization == "local":
        return [Window(w.y0, w.x0, max(side // 4, 1), max(side // 4, 1)) for w in allowed]
    return allowed
