"""The command ``train``: train a model on an image and its labels, or on a dataset."""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, nullcontext
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer
from rich.console import Console
from rich.table import Table

from napari_relay.cli.class_words import ClassWords, Column, Map
from napari_relay.cli.group import INTERRUPTED, say_error
from napari_relay.cli.interrupting import between_steps
from napari_relay.cli.labelled_data import (
    HeldOut,
    labelled_data,
)
from napari_relay.cli.progress import StepBar, step_bar
from napari_relay.cli.together import (
    LOST,
    follow_starter,
    is_first,
    is_followed,
    is_started_together,
    run_together,
)
from napari_relay.cli.training_options import (
    Backbone,
    BackboneOptions,
    ClassBalance,
    ClassNames,
    ColorJitter,
    DatasetName,
    Device,
    HeldOutShare,
    Images,
    Labels,
    LearningRate,
    Precision,
    ScaleJitter,
    Schedule,
)

if TYPE_CHECKING:
    from napari_relay.training.training import TrainProgress


def train(
    name: Annotated[str, typer.Option(help="Name of the model.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder the model is written to.", show_default=False),
    ],
    images: Images = None,
    labels: Labels = None,
    data: DatasetName = None,
    classes: ClassNames = "",
    maps: Map = None,
    column: Column = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches.")] = 2000,
    batch_size: Annotated[int, typer.Option(min=1, help="Crop pairs in a batch.")] = 8,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Parts a batch is computed in, to save memory.")
    ] = 1,
    devices: Annotated[
        int, typer.Option(min=1, help="Devices of this machine that share every batch.")
    ] = 1,
    learning_rate: LearningRate = 1e-3,
    schedule: Schedule = "plateau",
    early_stopping: Annotated[
        int, typer.Option(min=0, help="Scores without a rise that end the training; 0: none.")
    ] = 0,
    evaluate_every: Annotated[int, typer.Option(min=1, help="Steps between scores.")] = 100,
    validation_crops: Annotated[
        int, typer.Option(min=1, help="Held-out windows that are measured on, at most.")
    ] = 64,
    class_balance: ClassBalance = 0.5,
    color_jitter: ColorJitter = 0.3,
    scale_jitter: ScaleJitter = 2.0,
    backbone: Backbone = "vit_tiny_patch16_224",
    backbone_options: BackboneOptions = '{"depth": 6}',  # type: ignore[assignment]  # typer parses defaults, too
    crop_size: Annotated[int, typer.Option(help="Side of both crops, px.")] = 256,
    context_factor: Annotated[
        int, typer.Option(min=0, help="Width of the global window in local ones; 0: none.")
    ] = 4,
    relay_tokens: Annotated[int, typer.Option(min=0, help="Number of relay tokens.")] = 4,
    baseline: Annotated[
        Literal["local", "global", "fusion"] | None,
        typer.Option(help="Train this baseline of the model instead.", show_default=False),
    ] = None,
    held_out: HeldOutShare = 0.2,
    seed: Annotated[int, typer.Option(help="Of weights, crops and split.")] = 0,
    device: Device = "auto",
    precision: Precision = "auto",
) -> None:
    """Train a model on an image and its labels, or on a dataset.

    After Ctrl-C, or when it was killed, the same command goes on where it was.
    """
    if devices > 1 and not is_started_together():
        again = [sys.executable, "-m", "napari_relay.cli", *sys.argv[1:]]
        raise typer.Exit(run_together(devices, again))
    follow_starter()
    from napari_relay.training.options import TrainOptions
    from napari_relay.training.runs import ModelOptions, train_model

    model = ModelOptions(
        name=name,
        backbone=backbone,
        backbone_options=backbone_options,
        crop_size=crop_size,
        context_factor=context_factor or None,
        num_relay_tokens=relay_tokens,
        baseline=baseline,
        command=shlex.join(["napari-relay", *sys.argv[1:]]),
    )
    options = TrainOptions(
        steps=steps,
        batch_size=batch_size,
        accumulate=accumulate,
        devices=devices,
        learning_rate=learning_rate,
        schedule=schedule,
        early_stopping=early_stopping,
        evaluate_every=evaluate_every,
        validation_crops=validation_crops,
        class_balance=class_balance,
        color_jitter=color_jitter,
        scale_jitter=scale_jitter,
        seed=seed,
        device=device,
        precision=precision,
    )
    held = HeldOut(crop_size, held_out, seed)
    said = ClassWords(tuple(maps or ()), column)
    found = labelled_data(images, labels, data, classes, held, said)
    _follow(train_model(found, output, model, options), name, output)
    if is_first():
        _show_scores(output)


def _follow(progress: Iterator[TrainProgress], name: str, output: Path) -> None:
    from napari_relay.training.fabric import LostProcessError

    try:
        with (
            step_bar(f"Training {name}", "steps") if is_first() else nullcontext() as bar,
            # What is done is saved before anything else is said.
            closing(cast("Generator[TrainProgress]", progress)),
        ):
            _show_steps(progress, bar)
    except KeyboardInterrupt as error:
        say_error(
            f"Stopped; what was learnt is kept in {output}; run the same command again to go on."
        )
        raise typer.Exit(INTERRUPTED) from error
    except LostProcessError as error:
        if is_followed():
            raise typer.Exit(LOST) from error
        raise


def _show_steps(progress: Iterator[TrainProgress], bar: StepBar | None) -> None:
    # Nothing is lost before the first step: there Ctrl-C stops at once.
    for state in islice(progress, 1):
        _show_step(state, bar)
    with between_steps() as wish:
        for state in progress:
            _show_step(state, bar)
            wish.check()


def _show_step(state: TrainProgress, bar: StepBar | None) -> None:
    if bar is None:
        return
    bar.show(state.step, state.steps, _note(state))
    for note in state.notes:
        bar.say(note)


def _note(state: TrainProgress) -> str:
    best = "" if math.isnan(state.best_miou) else f" · best mIoU {state.best_miou:.3f}"
    return f"loss {state.loss.total:.3f}{best}"


def _show_scores(output: Path) -> None:
    from relay_tokens import load_checkpoint

    held_out = load_checkpoint(output).metadata.training["held_out"]
    table = Table("class", "held-out IoU", title=f"mIoU {held_out['miou']:.3f}")
    for name, iou in held_out["iou"].items():
        table.add_row(name, "–" if iou is None else f"{iou:.3f}")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"Wrote {output}", markup=False, soft_wrap=True)
