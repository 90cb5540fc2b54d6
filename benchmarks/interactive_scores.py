"""What the benchmark of correcting measures: the remainder, and the base domain."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.interactive_domain import DOMAINS, Domain, DomainName, spread_windows
from benchmarks.interactive_work import WorkFolder
from napari_relay.images import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions, predict
from napari_relay.training.evaluation import evaluate
from napari_relay.training.examples import Example, ExampleReader
from napari_relay.training.metrics import Scores
from relay_tokens import (
    IGNORE_INDEX,
    Checkpoint,
    RelaySegmenter,
    load_checkpoint,
    load_model,
)

Labels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Known:
    """What the ends of the gap predict of an image."""

    shipped: Labels
    """The shipped model."""
    reference: Labels
    """The model that was trained on the domain."""
    classes: int
    """How many there are."""


@dataclass(frozen=True, eq=False)
class BaseDomain:
    """Held-out windows of what the shipped model was trained on."""

    domain: Domain
    """Whose."""
    checkpoint: Checkpoint
    """The shipped model."""
    count: int
    """Windows that are measured on."""

    @cached_property
    def examples(self) -> tuple[Example, ...]:
        """Crops with the labels that are held out."""
        config = self.checkpoint.model.config
        base = self.domain.base(config.crop_size)
        reader = ExampleReader(*base.open(), config, self.checkpoint.metadata)
        read: list[Example] = []
        for window in spread_windows(base.split.validation_windows(), self.count):
            crops, labels = reader.read(window)
            owned = base.split.owned(window)
            read.append(Example(crops, np.where(owned, labels, IGNORE_INDEX).astype(np.uint8)))
        return tuple(read)

    def scores(self, model: RelaySegmenter) -> dict[str, Any]:
        """Of a model on all windows."""
        return rounded(evaluate(model, self.examples).confusion)


def known_predictions(folder: WorkFolder, name: DomainName, seed: int) -> Known:
    """What both models predict of an image; predicted once, kept in the work folder."""
    domain, path = DOMAINS[name], folder.known(name, seed)
    shipped = load_model(domain.model)
    if not path.exists():
        image = folder.ground(domain, seed).image
        found = {
            "shipped": predicted(shipped, image, folder),
            "reference": predicted(load_checkpoint(folder.reference(name)), image, folder),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part.npz")
        np.savez(scratch, **found)  # type: ignore[arg-type]
        scratch.replace(path)
    with np.load(path) as kept:
        return Known(kept["shipped"], kept["reference"], shipped.model.config.num_classes)


def predicted(checkpoint: Checkpoint, image: PyramidImage, folder: WorkFolder) -> Labels:
    """Classes of a whole image."""
    options = PredictOptions(attention=False, device=folder.setting.device)
    with TemporaryDirectory(dir=folder.path) as scratch:
        store = PredictionStore.create(Path(scratch) / "store", image, checkpoint, options)
        for _ in predict(checkpoint, image, store, None, options):
            pass
        return store.read_labels(image.window)


def rounded(confusion: NDArray[np.int64]) -> dict[str, Any]:
    """mIoU and the IoU of each class."""
    scores = Scores(confusion)
    return {"miou": round(scores.miou, 4), "iou": [round(float(v), 4) for v in scores.iou]}
