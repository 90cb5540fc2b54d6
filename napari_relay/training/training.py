"""Training a model on labelled images."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from napari_relay import __version__
from napari_relay.inference.devices import autocast_dtype, choose_device
from napari_relay.training.evaluation import evaluate
from napari_relay.training.examples import Batch, Example
from napari_relay.training.held_out import held_out_examples
from napari_relay.training.labelled_image import ExampleReaders, LabelledImage
from napari_relay.training.metrics import Scores
from napari_relay.training.options import TrainOptions
from napari_relay.training.run_folder import RunFolder
from napari_relay.training.sampling import CropSampler
from napari_relay.training.schedules import Schedule
from relay_tokens import (
    LossTerms,
    ModelMetadata,
    RelayLoss,
    RelaySegmenter,
    UserError,
    load_checkpoint,
    save_checkpoint,
)

if TYPE_CHECKING:
    from lightning_fabric import Fabric


@dataclass(frozen=True)
class TrainLoss:
    """Losses of one batch."""

    local: float
    """Cross-entropy of the local branch."""
    global_: float
    """Cross-entropy of the global branch."""
    consistency: float
    """Disagreement of the branches."""
    total: float
    """Their weighted sum, which is minimised."""


@dataclass(frozen=True)
class TrainProgress:
    """Where a training run is after a step."""

    step: int
    """Steps done."""
    steps: int
    """Steps in all."""
    loss: TrainLoss
    """Of this step's batch."""
    learning_rate: float
    """Used in this step."""
    seconds: float
    """Time spent on the run, interruptions left out."""
    scores: Scores | None = None
    """Held-out scores, in steps that measure them."""
    best_miou: float = math.nan
    """Best held-out mIoU so far."""


class _Objective(nn.Module):
    """Model and loss as one module: what Fabric wraps and spreads."""

    def __init__(self, model: RelaySegmenter, options: TrainOptions) -> None:
        super().__init__()
        self.model = model
        self.loss = RelayLoss(
            model.config.context_factor,
            global_weight=options.global_weight,
            consistency_weight=options.consistency_weight,
        )

    def forward(self, local: Tensor, global_: Tensor | None, labels: Tensor) -> LossTerms:
        terms: LossTerms = self.loss(self.model(local, global_), labels)
        return terms


def train(
    model: RelaySegmenter,
    metadata: ModelMetadata,
    images: Sequence[LabelledImage],
    options: TrainOptions,
    checkpoint_folder: Path,
) -> Iterator[TrainProgress]:
    """Train a model step by step; a stopped run goes on where it was.

    Parameters
    ----------
    model
        Trained in place. At the end it has the weights of the best evaluation.
    metadata
        Classes and normalisation.
    images
        What is learnt, and which windows of it are measured on.
    options
        How long and how.
    checkpoint_folder
        The run folder (see :mod:`napari_relay.training.run_folder`). The best
        model, with a record of the training, is in its folder ``best``.

    Yields
    ------
    TrainProgress
        After every step.

    Raises
    ------
    UserError
        When the extra ``train`` is missing, or the folder holds another run.
    """
    folder = RunFolder(Path(checkpoint_folder))
    folder.open({"model": asdict(model.config), "options": _lasting(options)})
    readers = ExampleReaders(images, model.config, metadata)
    sampler = CropSampler(readers, options)
    held_out = held_out_examples(readers, options.validation_crops, options.seed)
    run = _Run(model, metadata, options, folder, held_out)
    with closing(_batches(sampler, options, run.step)) as batches:
        try:
            for batch in batches:
                yield run.advance(batch)
        except GeneratorExit:
            run.save()
            raise
    run.finish()


def _lasting(options: TrainOptions) -> dict[str, Any]:
    """Options that a resumed run must share with the run it goes on with."""
    changeable = {"device", "precision", "save_every"}
    return {k: v for k, v in asdict(options).items() if k not in changeable}


def _batches(sampler: CropSampler, options: TrainOptions, first: int) -> Generator[Batch]:
    """Batches ``first`` to the last; the next one is read while one is used."""
    with ThreadPoolExecutor(1, thread_name_prefix="training-batches") as pool:
        ahead: Future[Batch] | None = None
        for number in range(first, options.steps):
            ready = ahead or pool.submit(sampler.batch, number, options.batch_size)
            ahead = None
            if number + 1 < options.steps:
                ahead = pool.submit(sampler.batch, number + 1, options.batch_size)
            yield ready.result()


class _Run:
    """A training run's state between two steps."""

    def __init__(
        self,
        model: RelaySegmenter,
        metadata: ModelMetadata,
        options: TrainOptions,
        folder: RunFolder,
        held_out: list[Example],
    ) -> None:
        self.model, self.metadata, self.options = model, metadata, options
        self.folder, self.held_out = folder, held_out
        self.step, self.seconds, self.best_miou = 0, 0.0, -math.inf
        self.fabric = _fabric(options)
        optimizer = torch.optim.AdamW(
            model.parameters(), options.learning_rate, weight_decay=options.weight_decay
        )
        self.objective, self.optimizer = self.fabric.setup(_Objective(model, options), optimizer)
        self.schedule = Schedule(optimizer, options)
        self._resume()

    def advance(self, batch: Batch) -> TrainProgress:
        """Do one step, and what is due after it."""
        started = time.perf_counter()
        self.schedule.before_step(self.step)
        loss = self._descend(batch)
        self.step += 1
        scores = self._evaluate() if self._is_due(self.options.evaluate_every) else None
        self.seconds += time.perf_counter() - started
        progress = TrainProgress(
            step=self.step,
            steps=self.options.steps,
            loss=loss,
            learning_rate=self.schedule.learning_rate,
            seconds=self.seconds,
            scores=scores,
            best_miou=self.best_miou if math.isfinite(self.best_miou) else math.nan,
        )
        self.folder.log(_log_row(progress))
        if self._is_due(self.options.save_every):
            self.save()
        return progress

    def save(self) -> None:
        """Write where to go on."""
        self.folder.save(
            {
                "step": self.step,
                "seconds": self.seconds,
                "best_miou": self.best_miou,
                "model": self.model.state_dict(),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
            }
        )

    def finish(self) -> None:
        """Take the best weights."""
        if self.folder.best.exists():
            best = load_checkpoint(self.folder.best).model
            self.model.load_state_dict(best.state_dict())
        self.optimizer.zero_grad()
        self.model.eval()

    def _resume(self) -> None:
        state = self.folder.load()
        if state is None:
            return
        self.step, self.seconds = int(state["step"]), float(state["seconds"])
        self.best_miou = float(state["best_miou"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.folder.cut_log(self.step)

    def _descend(self, batch: Batch) -> TrainLoss:
        self.model.train()
        moved = batch.to(self.fabric.device)
        terms: LossTerms = self.objective(*moved)
        self.optimizer.zero_grad()
        self.fabric.backward(terms.total)
        self.fabric.clip_gradients(
            self.objective, self.optimizer, max_norm=self.options.gradient_clip
        )
        self.optimizer.step()
        return TrainLoss(*(float(term.detach()) for term in terms))

    def _evaluate(self) -> Scores:
        with self.fabric.autocast():
            scores = evaluate(self.model, self.held_out, self.options.batch_size)
        self.schedule.after_evaluation(self.step, scores.miou)
        if scores.miou > self.best_miou or not self.folder.best.exists():
            self.best_miou = scores.miou
            save_checkpoint(self.folder.best, self.model, self._described(scores))
        return scores

    def _described(self, scores: Scores) -> ModelMetadata:
        record = {
            **self.metadata.training,
            "napari_relay": __version__,
            "steps": self.step,
            "seconds": round(self.seconds),
            "held_out": describe_scores(scores, self.metadata),
            "options": _lasting(self.options),
        }
        return replace(self.metadata, training=record)

    def _is_due(self, every: int) -> bool:
        return self.step % every == 0 or self.step == self.options.steps


def describe_scores(scores: Scores, metadata: ModelMetadata) -> dict[str, Any]:
    """Scores as JSON; a class that does not occur is None."""
    iou = [None if math.isnan(v) else round(float(v), 4) for v in scores.iou]
    return {
        "miou": round(scores.miou, 4),
        "accuracy": round(scores.accuracy, 4),
        "iou": dict(zip(metadata.classes.names, iou, strict=True)),
        "pixels": int(scores.confusion.sum()),
    }


def _log_row(progress: TrainProgress) -> dict[str, Any]:
    scores = progress.scores
    return {
        "step": progress.step,
        "seconds": f"{progress.seconds:.2f}",
        "learning_rate": f"{progress.learning_rate:.3g}",
        **{f"loss_{k.rstrip('_')}": f"{v:.5f}" for k, v in asdict(progress.loss).items()},
        "miou": "" if scores is None else f"{scores.miou:.5f}",
        "accuracy": "" if scores is None else f"{scores.accuracy:.5f}",
    }


def _fabric(options: TrainOptions) -> Fabric:
    try:
        from lightning_fabric import Fabric
    except ImportError as error:
        raise UserError(
            "Training needs Lightning Fabric; run: pip install 'napari-relay[train]'"
        ) from error
    device = choose_device(options.device)
    formats = {None: "32-true", torch.bfloat16: "bf16-mixed", torch.float16: "16-mixed"}
    precision: Any = formats[autocast_dtype(device, options.precision)]
    devices = [device.index or 0] if device.type == "cuda" else 1
    return Fabric(accelerator=device.type, devices=devices, precision=precision)
