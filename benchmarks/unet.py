"""A well-kept peer: the U-Net of segmentation_models_pytorch on local crops.

Trained as :func:`napari_relay.training.train` trains: the same batches, schedule,
optimiser, gradient clip and choice of the best step. Needs
``pip install segmentation-models-pytorch``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import cast

import segmentation_models_pytorch as smp  # type: ignore[import-untyped]
import torch
from torch import Tensor, nn

from napari_relay.inference.devices import autocast_dtype, choose_device
from napari_relay.training import (
    ExampleReaders,
    LabelledImage,
    TrainOptions,
    evaluate,
    held_out_examples,
)
from napari_relay.training.examples import Batch, Example
from napari_relay.training.run_folder import RunFolder
from napari_relay.training.sampling import CropSampler
from napari_relay.training.schedules import Schedule
from relay_tokens import (
    ModelMetadata,
    RelayConfig,
    RelayLoss,
    RelayOutput,
    RelaySegmenter,
)

RESNET_DEPTH = 5
"""Halvings of a whole ResNet, the first one before its layers 1 to 4."""
FINEST = 32
"""Channels of the decoder's finest level; each coarser one has twice as many."""


class UNet(nn.Module):
    """A U-Net with the interface of a single-scale :class:`RelaySegmenter`."""

    def __init__(self, config: RelayConfig, encoder: str, depth: int) -> None:
        super().__init__()
        self.config = config
        self.net = smp.Unet(
            encoder,
            encoder_depth=depth,
            encoder_weights=None,
            decoder_channels=[FINEST * 2**level for level in reversed(range(depth))],
            in_channels=config.in_channels,
            classes=config.num_classes,
        )
        # Left in by the library though a U-Net of fewer halvings never calls them.
        for unused in range(depth, RESNET_DEPTH):
            setattr(self.net.encoder, f"layer{unused}", nn.Identity())

    def forward(self, local: Tensor, global_: Tensor | None = None) -> RelayOutput:  # noqa: ARG002
        """Segment ``(B, band, crop, crop)``; there is no global crop."""
        return RelayOutput(self.net(local))

    def as_segmenter(self) -> RelaySegmenter:
        """Itself, where a model of relay_tokens is asked for."""
        return cast(RelaySegmenter, self)


def train_unet(
    model: UNet,
    metadata: ModelMetadata,
    images: Sequence[LabelledImage],
    options: TrainOptions,
    folder: Path,
) -> Iterator[int]:
    """Train step by step; a stopped run goes on where it was.

    Yields the number of steps done. At the end ``model`` has the best weights.
    """
    files = RunFolder(folder)
    files.open({"model": asdict(model.config), "options": asdict(options)})
    readers = ExampleReaders(images, model.config, metadata)
    sampler = CropSampler(readers, options)
    held_out = held_out_examples(readers, options.validation_crops, options.seed)
    training = _Training(model, options, files, held_out)
    for number in range(training.step, options.steps):
        training.advance(sampler.batch(number, options.batch_size))
        yield training.step
    training.finish()


class _Training:
    """The state between two steps."""

    def __init__(
        self, model: UNet, options: TrainOptions, files: RunFolder, held_out: list[Example]
    ) -> None:
        self.device = choose_device(options.device)
        self.model, self.options, self.files = model.to(self.device), options, files
        self.held_out, self.loss = held_out, RelayLoss(None)
        self.optimizer = torch.optim.AdamW(
            model.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )
        self.schedule = Schedule(self.optimizer, options)
        self.step, self.seconds = 0, 0.0
        self.best_miou, self.best_step = -math.inf, 0
        self.best: dict[str, Tensor] = {}
        self._resume()

    def advance(self, batch: Batch) -> None:
        """Do one step, and what is due after it."""
        started = time.perf_counter()
        self.schedule.before_step(self.step)
        self._descend(batch.to(self.device))
        self.step += 1
        if self._is_due(self.options.evaluate_every):
            self._evaluate()
        self.seconds += time.perf_counter() - started
        if self._is_due(self.options.save_every):
            self.save()

    def finish(self) -> None:
        """Take the best weights."""
        self.model.load_state_dict(self.best)
        self.model.eval()

    def save(self) -> None:
        """Write where to go on."""
        self.files.save(
            {
                "step": self.step,
                "seconds": self.seconds,
                "best_miou": self.best_miou,
                "best_step": self.best_step,
                "best": self.best,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
            }
        )

    def _resume(self) -> None:
        state = self.files.load()
        if state is None:
            return
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.best_miou, self.best_step = float(state["best_miou"]), int(state["best_step"])
        self.best = state["best"]
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])

    def _descend(self, batch: Batch) -> None:
        self.model.train()
        with self._autocast():
            total = self.loss(self.model(batch.local), batch.labels).total
        self.optimizer.zero_grad()
        total.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.options.gradient_clip)
        self.optimizer.step()

    def _evaluate(self) -> None:
        with self._autocast():
            model = self.model.as_segmenter()
            miou = evaluate(model, self.held_out, self.options.batch_size).miou
        self.schedule.after_evaluation(self.step, miou)
        if miou > self.best_miou or not self.best:
            self.best_miou, self.best_step = miou, self.step
            self.best = {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    def _autocast(self) -> AbstractContextManager[object]:
        dtype = autocast_dtype(self.device, self.options.precision)
        return torch.autocast(self.device.type, dtype) if dtype else nullcontext()

    def _is_due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.options.steps
