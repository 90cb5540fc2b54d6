"""Teaching a model a person's corrections without forgetting the rest."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from napari_relay.inference.crops import check_fit
from napari_relay.inference.devices import choose_device
from napari_relay.training.base_tiles import count_base_tiles, read_base_tiles
from napari_relay.training.corrected_examples import ExampleGatherer, GatheringStopped
from napari_relay.training.corrected_image import CorrectedImage
from napari_relay.training.examples import ExampleReader
from napari_relay.training.finetune_options import FinetuneOptions
from napari_relay.training.finetuning_round import FinetuningRound
from napari_relay.training.finetuning_time import Clock, settled
from napari_relay.training.gate import Measurement
from napari_relay.training.metrics import Scores
from napari_relay.training.old_model import OldModel
from relay_tokens import Checkpoint


@dataclass(frozen=True)
class FinetuneResult:
    """A new model, and how it compares with the old one."""

    state: Checkpoint
    """The new model, on the CPU; the old one is as it was. Its training record has
    the measurements as ``finetuning``."""
    before: Scores
    """The old model on the measured corrections."""
    after: Scores
    """The new model on the same."""
    is_held_out: bool
    """Whether the measured corrections were kept out of the training. With fewer
    than four corrected regions all are learnt, and measured on too."""
    base_before: Scores | None
    """The old model on tiles held out from its training; None where it ships with none."""
    base_after: Scores | None
    """The new model on the same, which it never saw in the round."""
    agreement: float
    """Mean IoU of new with old predictions on replayed windows not rehearsed, 0 to 1."""
    recommended: bool
    """No worse on the measured corrections, and little forgotten."""
    reason: str
    """Why, in a sentence or two."""
    regions: int
    """Corrected regions."""
    steps: int
    """Steps done."""


@dataclass(frozen=True)
class FinetuneProgress:
    """Where a round of fine-tuning is after a step."""

    step: int
    """Steps done."""
    steps: int
    """Steps in all."""
    loss: float
    """Of this step's batch."""
    before: float
    """The old model's mIoU on the measured corrections."""
    after: float
    """mIoU of the best weights so far; ``before`` until first measured."""
    measured: Measurement | None = None
    """Of the present weights, after the steps in which they were measured; at the
    first step, of the old ones."""
    seconds_left: float = 0.0
    """A guess from the steps so far."""
    finished: bool = False
    """Whether this is the last item."""
    result: FinetuneResult | None = None
    """The new model, in the last item."""


def finetune(
    checkpoint: Checkpoint,
    images: CorrectedImage | Sequence[CorrectedImage],
    options: FinetuneOptions | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[FinetuneProgress]:
    """Fine-tune a copy of a model on corrections.

    It learns from corrected pixels alone. In the rest of those crops (32 pixels
    and more away from a correction) and in replayed windows it is held to the
    old model's soft predictions (Kullback-Leibler divergence), and reminded of tiles
    of its training data where it ships with some.

    Parameters
    ----------
    checkpoint
        The model to start from; never changed, also when the generator is closed.
    images
        What was corrected: one image or several.
    options
        How long and how.
    should_stop
        Asked after each step, in the same thread. When it says so, the best weights so
        far are the result; before the first step, there is none and nothing is yielded.

    Yields
    ------
    FinetuneProgress
        After every step; the last one carries the result.

    Raises
    ------
    UserError
        When nothing was corrected, or an image does not fit the model.
    """
    base_tiles = count_base_tiles(checkpoint.base_tiles)
    options = settled(options or FinetuneOptions(), checkpoint.model, base_tiles)
    given = [images] if isinstance(images, CorrectedImage) else list(images)
    try:
        round_ = _begin(checkpoint, given, options, should_stop)
    except GatheringStopped:
        return
    yield from _steps(round_, checkpoint, should_stop)


def _begin(
    checkpoint: Checkpoint,
    images: Sequence[CorrectedImage],
    options: FinetuneOptions,
    should_stop: Callable[[], bool],
) -> FinetuningRound:
    """Read all that is learnt from."""
    config, metadata = checkpoint.model.config, checkpoint.metadata
    for one in images:
        check_fit(one.image, metadata)
    device = choose_device(options.device)
    readers = [ExampleReader(o.image, o.corrections, config, metadata) for o in images]
    base = read_base_tiles(checkpoint.base_tiles, config)
    model = copy.deepcopy(checkpoint.model).to(device).eval()
    old = OldModel(model, keeps=options.trains == "head")
    windows = [one.corrected_windows(config.crop_size) for one in images]
    examples = ExampleGatherer(readers, old, options, should_stop).gather(windows, base)
    at_first = metadata.training.get("finetuning", {}).get("base_at_first")
    return FinetuningRound(old, examples, metadata.classes, options, at_first)


def _steps(
    round_: FinetuningRound, checkpoint: Checkpoint, should_stop: Callable[[], bool]
) -> Iterator[FinetuneProgress]:
    options, steps = round_.options, round_.options.usual.steps
    before, clock = round_.gate.before, Clock(round_.work)
    for step in range(steps):
        loss = round_.descend(step)
        last = step + 1 == steps or should_stop()
        is_due = last or (step + 1) % options.evaluated_every == 0
        if is_due:
            round_.measure()
        result = _result(round_, checkpoint, step + 1) if last else None
        best = round_.best.measured if round_.best else before
        yield FinetuneProgress(
            step=step + 1,
            steps=steps,
            loss=loss,
            before=before.corrections.miou,
            after=best.corrections.miou,
            measured=round_.now if is_due else before if step == 0 else None,
            seconds_left=0.0 if last else clock.left(step + 1),
            finished=last,
            result=result,
        )
        if last:
            return


def _result(round_: FinetuningRound, checkpoint: Checkpoint, steps: int) -> FinetuneResult:
    """The best new model beside the old one."""
    before, after = round_.gate.before, round_.finish().measured
    verdict = round_.gate.judge(after)
    result = FinetuneResult(
        state=replace(checkpoint, model=round_.student.merged()),
        before=before.corrections,
        after=after.corrections,
        is_held_out=round_.gate.is_held_out,
        base_before=before.base,
        base_after=after.base,
        agreement=after.agreement,
        recommended=verdict.recommended,
        reason=verdict.reason,
        regions=round_.regions,
        steps=steps,
    )
    record = {**checkpoint.metadata.training, "finetuning": _record(result, round_)}
    metadata = replace(checkpoint.metadata, training=record)
    return replace(result, state=replace(result.state, metadata=metadata))


def _record(result: FinetuneResult, round_: FinetuningRound) -> dict[str, Any]:
    """What is kept of a round, for the list of versions."""
    return {
        "trains": round_.options.trains,
        "steps": result.steps,
        "regions": result.regions,
        "held_out": result.is_held_out,
        "before": _rounded(result.before.miou),
        "after": _rounded(result.after.miou),
        "base_before": _miou(result.base_before),
        "base_after": _miou(result.base_after),
        "base_at_first": _rounded(round_.gate.base_at_first),
        "agreement": _rounded(result.agreement),
        "recommended": result.recommended,
    }


def _miou(scores: Scores | None) -> float | None:
    return None if scores is None else _rounded(scores.miou)


def _rounded(value: float) -> float | None:
    """What JSON takes: no NaN."""
    return None if math.isnan(value) else round(value, 4)
