"""Scores of a model on whole images, one window after the other."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import torch

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage
from napari_relay.inference.devices import choose_device
from napari_relay.inference.reading import ReadAhead
from napari_relay.training.context_effect import ContextEffect, context_effect, has_relay_tokens
from napari_relay.training.datasets.dataset import Dataset, Split
from napari_relay.training.evaluated_image import (
    EvaluatedImage,
    check_classes,
    choose_split,
    dataset_images,
    masked_image,
)
from napari_relay.training.evaluation import PredictedExample, batched, predict_examples
from napari_relay.training.examples import Example
from napari_relay.training.held_out import read_examples
from napari_relay.training.labelled_image import ExampleReaders, Place, held_out_places
from napari_relay.training.metrics import Scores
from napari_relay.training.tally import Rating, Tally
from relay_tokens import Checkpoint, ModelMetadata, UserError

Stage = Literal["opening images", "predicting windows", "measuring context"]


@dataclass(frozen=True)
class EvaluationOptions:
    """How much is evaluated, and how."""

    limit: int | None = None
    """Windows that are drawn at random; None: all of them."""
    seed: int = 0
    """Of the random choices."""
    batch_size: int = 8
    """Windows in a forward pass."""
    device: str = "auto"
    """See :func:`~napari_relay.inference.devices.choose_device`."""
    context_windows: int = 64
    """Windows, drawn at random, on which the effect of the context is measured."""
    shown: int = 2
    """Best, median and worst windows that are kept to be drawn, so many of each."""


@dataclass(frozen=True)
class EvaluationProgress:
    """Where an evaluation is."""

    stage: Stage
    """What is being done."""
    done: int
    """Steps of the stage that are done."""
    total: int
    """Steps of the stage in all."""
    miou: float = float("nan")
    """Over the windows so far; NaN before there is one with labels."""


class ImageScores(NamedTuple):
    """Scores of one image."""

    name: str
    """Of the image."""
    scores: Scores
    """Over its windows."""


class RatedExample(NamedTuple):
    """A window that shows how good or bad the predictions are."""

    rating: Rating
    """Its place among all windows by mIoU."""
    image: str
    """Name of its image."""
    window: Window
    """Level-0 pixels of it."""
    miou: float
    """Of this window alone."""
    predicted: PredictedExample
    """Crops, labels and prediction."""


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model is worth on some images."""

    model: ModelMetadata
    """Name, classes and bands of the model."""
    data: str
    """What was measured on, in words."""
    scores: Scores
    """Over all windows, with the calibration."""
    images: tuple[ImageScores, ...]
    """Image by image, those without any label left out."""
    windows: int
    """Windows that were looked at, those without any label included."""
    all_windows: int
    """Windows that there are."""
    examples: tuple[RatedExample, ...]
    """Some of the best, median and worst windows."""
    context: ContextEffect | None
    """What the context is worth; None for a model without relay tokens."""
    options: EvaluationOptions
    """How it was done."""
    device: str
    """Where it ran."""
    seconds: float
    """Wall-clock time."""
    finished: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When it was done."""


def evaluate_dataset(
    checkpoint: Checkpoint,
    dataset: Dataset,
    split: Split | None = None,
    options: EvaluationOptions | None = None,
) -> Generator[EvaluationProgress, None, Evaluation]:
    """Score a model on one split of a dataset.

    Parameters
    ----------
    checkpoint
        The model; it is moved to the device and put in eval mode.
    dataset
        Its classes must have the model's names in the model's order.
    split
        None: ``test``, or ``val`` where the dataset has no images of ``test``.
    options
        How much, and how.

    Yields
    ------
    EvaluationProgress
        After every image that was opened, and every batch.

    Returns
    -------
    Evaluation
        What came out (:class:`~napari_relay.inference.report.WithReport` keeps it).

    Raises
    ------
    UserError
        When the split has no images, or classes or bands do not fit the model.
    """
    chosen = choose_split(dataset, split)
    check_classes(dataset, checkpoint.metadata)
    return _evaluate_split(checkpoint, dataset, chosen, options)


def evaluate_mask(
    checkpoint: Checkpoint,
    image: PyramidImage,
    mask: Path,
    options: EvaluationOptions | None = None,
) -> Generator[EvaluationProgress, None, Evaluation]:
    """Score a model on one image and its mask file, whose values are the model's classes.

    See :func:`evaluate_dataset` for what it yields, returns and raises.
    """
    images = [masked_image(checkpoint, image, mask)]
    data = f"{images[0].name} with the mask {mask.name}"
    return evaluate_images(checkpoint, images, data, options)


def evaluate_images(
    checkpoint: Checkpoint,
    images: Sequence[EvaluatedImage],
    data: str,
    options: EvaluationOptions | None = None,
) -> Generator[EvaluationProgress, None, Evaluation]:
    """Score a model on the held-out windows of images.

    See :func:`evaluate_dataset`; ``data`` says in words what the images are. The
    windows are ``crop_size`` a side and do not overlap. Memory does not grow
    with their number but for a few numbers each.

    Raises
    ------
    UserError
        When no window has a label.
    """
    options = options or EvaluationOptions()
    started = time.perf_counter()
    device = choose_device(options.device)
    checkpoint.model.to(device).eval()
    readers = ExampleReaders(
        [one.image for one in images], checkpoint.model.config, checkpoint.metadata
    )
    everything = held_out_places(readers.images)
    places = _draw(everything, options.limit, options.seed)
    tally = Tally(len(checkpoint.metadata.classes))
    yield from _predict(checkpoint, readers, places, options, tally)
    if not tally.rated:
        raise UserError(f"There is no labelled pixel in {data}; check the labels.")
    effect = yield from _measure_context(checkpoint, readers, tally, options)
    return Evaluation(
        model=checkpoint.metadata,
        data=data,
        scores=tally.scores,
        images=tuple(ImageScores(images[i].name, s) for i, s in tally.by_image.items()),
        windows=len(places),
        all_windows=len(everything),
        examples=tuple(_examples(checkpoint, readers, images, tally, options.shown)),
        context=effect,
        options=options,
        device=_device_text(device),
        seconds=time.perf_counter() - started,
    )


def _evaluate_split(
    checkpoint: Checkpoint, dataset: Dataset, split: Split, options: EvaluationOptions | None
) -> Generator[EvaluationProgress, None, Evaluation]:
    """Open the images of a split, then score the model on them."""
    total = len(dataset.of(split))
    images: list[EvaluatedImage] = []
    for image in dataset_images(checkpoint, dataset, split):
        images.append(image)
        yield EvaluationProgress("opening images", len(images), total)
    count = "1 image" if total == 1 else f"{total} images"
    data = f"{count} of the split {split} of {dataset.source} ({dataset.name})"
    return (yield from evaluate_images(checkpoint, images, data, options))


def _predict(
    checkpoint: Checkpoint,
    readers: ExampleReaders,
    places: Sequence[Place],
    options: EvaluationOptions,
    tally: Tally,
) -> Iterator[EvaluationProgress]:
    """Predict and score windows, the next batch read meanwhile."""
    done, total = 0, len(places)
    ahead: ReadAhead[Place, Example | None] = ReadAhead(partial(_example, readers), threads=1)
    with closing(ahead) as reading:
        for batch in batched(reading.each(places, 2 * options.batch_size), options.batch_size):
            found = [(place, example) for place, example in batch if example is not None]
            if found:
                predicted = predict_examples(checkpoint.model, [e for _, e in found])
                for (place, _), one in zip(found, predicted, strict=True):
                    tally.add(place, one)
            done += len(batch)
            yield EvaluationProgress("predicting windows", done, total, tally.scores.miou)


def _measure_context(
    checkpoint: Checkpoint, readers: ExampleReaders, tally: Tally, options: EvaluationOptions
) -> Generator[EvaluationProgress, None, ContextEffect | None]:
    if not has_relay_tokens(checkpoint.model.config) or not options.context_windows:
        return None
    labelled = [one.place for one in tally.rated]
    places = _draw(labelled, options.context_windows, options.seed)
    effects: list[ContextEffect] = []
    for batch in batched(read_examples(readers, places), options.batch_size):
        effects.append(context_effect(checkpoint.model, batch))
        done = sum(effect.examples for effect in effects)
        yield EvaluationProgress("measuring context", done, len(places), tally.scores.miou)
    return reduce(add, effects)


def _examples(
    checkpoint: Checkpoint,
    readers: ExampleReaders,
    images: Sequence[EvaluatedImage],
    tally: Tally,
    each: int,
) -> Iterator[RatedExample]:
    """Read and predict some of the best, median and worst windows once more."""
    for rating, rated in tally.picked(each):
        number, window = rated.place
        for example in read_examples(readers, [rated.place]):
            predicted = predict_examples(checkpoint.model, [example])[0]
            yield RatedExample(rating, images[number].name, window, rated.miou, predicted)


def _example(readers: ExampleReaders, place: Place) -> Example | None:
    """The example at a place; None without any label."""
    return next(read_examples(readers, [place]), None)


def _draw(places: Sequence[Place], limit: int | None, seed: int) -> list[Place]:
    """Places drawn at random where there are more than ``limit``, in their order."""
    if limit is None or limit >= len(places):
        return list(places)
    rng = np.random.default_rng([seed, 3])
    return [places[i] for i in sorted(rng.permutation(len(places))[:limit])]


def _device_text(device: torch.device) -> str:
    if device.type == "cuda":
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return str(device)
