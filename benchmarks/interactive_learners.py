"""What learns from corrections: the model, fine-tuned as the app does it, or a forest."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.forest import Forest
from benchmarks.frozen_features import FrozenFeatures
from napari_relay.annotation import CorrectionStore
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference import PredictionStore, PredictOptions, predict
from napari_relay.training import (
    CorrectedImage,
    FinetuneOptions,
    FinetuneResult,
    finetune,
)
from relay_tokens import (
    IGNORE_INDEX,
    Checkpoint,
    RelaySegmenter,
    load_checkpoint,
    save_checkpoint,
)

TREES = 50
"""Of the forest."""
EVERY = 2
"""A forest predicts every second pixel of every second row; those beside get the same."""
STRIP = 1 << 17
"""Pixels that a forest predicts at once."""
Labels = NDArray[np.uint8]


class Learner(Protocol):
    """Learns from corrections, and predicts."""

    labels: Labels | None
    """What is predicted now, ``(rows, cols)``; None before anything is."""

    @property
    def store(self) -> PredictionStore:
        """The prediction on disk, with its scores."""

    def learn(self, corrections: CorrectionStore) -> dict[str, Any]:
        """Learn; returns what is to be noted of it."""

    def predict_view(self, view: Window) -> None:
        """Predict a window anew."""

    def predict_rest(self) -> None:
        """Predict everything that is missing, and fill :attr:`labels`."""

    @property
    def model(self) -> RelaySegmenter | None:
        """The model of now, where it is the model that learns."""

    def save(self, number: int) -> None:
        """Keep what going on with round ``number`` needs."""


class RelayLearner:
    """The model, fine-tuned from version to version.

    Parameters
    ----------
    folder
        Where versions and predictions are kept.
    checkpoint
        The shipped model.
    image
        What is corrected.
    options
        Of a round.
    gated
        Whether new weights are taken only when they are recommended.
    number
        The round to go on with; 0: the first one.
    """

    def __init__(
        self,
        folder: Path,
        checkpoint: Checkpoint,
        image: PyramidImage,
        options: FinetuneOptions,
        gated: bool,
        number: int,
    ) -> None:
        self._folder, self._image, self._options, self._gated = folder, image, options, gated
        # Without rehearsal it knows nothing of the tiles that a model ships with.
        begun = checkpoint if gated else replace(checkpoint, base_tiles=None)
        self._checkpoint = load_checkpoint(folder / f"model-{number}") if number else begun
        self._predicting = PredictOptions(attention=False, device=options.device)
        self.labels: Labels | None = None
        self.store = self._open_store(f"prediction-{max(number - 1, 0)}")
        if number:
            self.predict_rest()

    def learn(self, corrections: CorrectionStore) -> dict[str, Any]:
        """Fine-tune, and take the new weights if they are recommended or nobody asks."""
        windows = corrections.corrected_windows(self._checkpoint.model.config.crop_size)
        result: FinetuneResult | None = None
        corrected = CorrectedImage(self._image, corrections, windows)
        for progress in finetune(self._checkpoint, corrected, self._options):
            result = progress.result or result
        assert result is not None
        if result.recommended or not self._gated:
            self._checkpoint = result.state
        return {
            "recommended": result.recommended,
            "windows": len(windows),
            "reason": result.reason,
        }

    def predict_view(self, view: Window) -> None:
        """Begin a prediction with the weights of now, in the view."""
        old = self.store.folder
        number = int(old.name.split("-")[1]) + 1
        self.store = self._open_store(f"prediction-{number}")
        shutil.rmtree(old)
        self._predict([view])

    def predict_rest(self) -> None:
        """Predict everything that is missing."""
        self._predict(None)
        self.labels = self.store.read_labels(self._image.window)

    @property
    def model(self) -> RelaySegmenter:
        """With the weights of now."""
        return self._checkpoint.model

    def save(self, number: int) -> None:
        """Keep the weights of now; those of the round before are no longer needed."""
        path = self._folder / f"model-{number}"
        kept = self._checkpoint
        save_checkpoint(path, kept.model, kept.metadata, kept.base_tiles)

    def _open_store(self, name: str) -> PredictionStore:
        path = self._folder / name
        return PredictionStore.open_or_create(path, self._image, self._checkpoint, self._predicting)

    def _predict(self, windows: list[Window] | None) -> None:
        for _ in predict(self._checkpoint, self._image, self.store, windows, self._predicting):
            pass


class ForestLearner:
    """A random forest on the frozen features of the shipped model.

    Parameters
    ----------
    folder
        Where the last prediction is kept.
    checkpoint
        The shipped model.
    image
        What is corrected.
    seed
        Of the trees.
    number
        The round to go on with; 0: the first one.
    """

    def __init__(
        self, folder: Path, checkpoint: Checkpoint, image: PyramidImage, seed: int, number: int
    ) -> None:
        self._folder = folder
        self._checkpoint, self._image, self._seed = checkpoint, image, seed
        self._count = checkpoint.model.config.num_classes
        self._features: FrozenFeatures | None = None
        self._forest: Forest | None = None
        kept = folder / f"labels-{number}.npy"
        self.labels: Labels | None = np.load(kept) if kept.exists() else None

    @property
    def store(self) -> PredictionStore:
        """None: a forest says no more than classes."""
        raise NotImplementedError("a forest has no prediction store")

    def learn(self, corrections: CorrectionStore) -> dict[str, Any]:
        """Train a forest on all corrected pixels."""
        if self._features is None:
            self._features = FrozenFeatures(self._checkpoint, self._image, self._image.window)
        painted = corrections.read(self._image.window)
        rows, cols = np.nonzero(painted != IGNORE_INDEX)
        values = self._features.at(rows, cols)
        self._forest = Forest(values, painted[rows, cols], self._count, TREES, self._seed)
        return {"recommended": True, "windows": 0}

    def predict_view(self, view: Window) -> None:
        """Predict the view; its features are there."""
        self._predict(view)

    def predict_rest(self) -> None:
        """Predict the image."""
        if self._forest is not None:
            self.labels = self._predict(self._image.window)

    @property
    def model(self) -> None:
        """None: the forest leaves the model as it is, and serves this image alone."""

    def save(self, number: int) -> None:
        """Keep what is predicted: the next corrections depend on it."""
        if self.labels is not None:
            np.save(self._folder / f"labels-{number}.npy", self.labels)

    def _predict(self, window: Window) -> Labels:
        assert self._forest is not None
        assert self._features is not None
        rows, cols = (np.arange(0, side, EVERY) for side in window[2:])
        found = np.empty((len(rows), len(cols)), np.uint8)
        for part in np.array_split(np.arange(len(rows)), -(-found.size // STRIP)):
            grid = np.meshgrid(rows[part] + window.y0, cols + window.x0, indexing="ij")
            values = self._features.at(grid[0].ravel(), grid[1].ravel())
            found[part] = self._forest.predict(values).reshape(len(part), -1)
        whole = found.repeat(EVERY, axis=0).repeat(EVERY, axis=1)
        return whole[: window.height, : window.width]
