"""The command ``train``: train a model on one image and its labels."""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Generator, Iterator
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console
from rich.table import Table

from napari_relay.cli.group import INTERRUPTED, say_error
from napari_relay.cli.progress import step_bar

if TYPE_CHECKING:
    from napari_relay.training.training import TrainProgress


class LearningRateSchedule(StrEnum):
    """What the learning rate does after the warm-up."""

    plateau = "plateau"
    cosine = "cosine"


def _parse_options(text: str) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        options = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not JSON ({error}).") from error
    if not isinstance(options, dict):
        raise typer.BadParameter(f'{text!r} is not a JSON object such as {{"depth": 6}}.')
    return options


def train(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE...",
            help="Image file or folder; several rasters of one place become one image.",
            show_default=False,
        ),
    ],
    labels: Annotated[
        str,
        typer.Option(
            help="stain (H&E slides), slope (terrain), or a mask file on the image's grid.",
            show_default=False,
        ),
    ],
    name: Annotated[str, typer.Option(help="Name of the model.", show_default=False)],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder the model is written to.", show_default=False),
    ],
    classes: Annotated[
        str, typer.Option(help="Names of a mask's values 0, 1, ..., with commas between them.")
    ] = "",
    steps: Annotated[int, typer.Option(min=1, help="Batches.")] = 2000,
    batch_size: Annotated[int, typer.Option(min=1, help="Crop pairs in a batch.")] = 8,
    learning_rate: Annotated[float, typer.Option(help="After the warm-up.")] = 1e-3,
    schedule: Annotated[
        LearningRateSchedule, typer.Option(help="Of the learning rate.")
    ] = LearningRateSchedule.plateau,
    evaluate_every: Annotated[int, typer.Option(min=1, help="Steps between scores.")] = 100,
    backbone: Annotated[str, typer.Option(help="A timm model.")] = "vit_tiny_patch16_224",
    backbone_options: Annotated[
        dict[str, Any],
        typer.Option(parser=_parse_options, metavar="JSON", help="More for timm's create_model."),
    ] = '{"depth": 6}',  # type: ignore[assignment]  # typer parses defaults, too
    crop_size: Annotated[int, typer.Option(help="Side of both crops, px.")] = 256,
    context_factor: Annotated[
        int, typer.Option(min=0, help="Width of the global window in local ones; 0: none.")
    ] = 4,
    relay_tokens: Annotated[int, typer.Option(min=0, help="Number of relay tokens.")] = 4,
    held_out: Annotated[
        float, typer.Option(min=0.01, max=0.9, help="Share of the image kept for scores.")
    ] = 0.2,
    seed: Annotated[int, typer.Option(help="Of weights, crops and split.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
) -> None:
    """Train a model on an image and its labels.

    After Ctrl-C the same command goes on where it was stopped.
    """
    from napari_relay.training.options import TrainOptions
    from napari_relay.training.runs import ModelOptions, train_model

    model = ModelOptions(
        name=name,
        backbone=backbone,
        backbone_options=backbone_options,
        crop_size=crop_size,
        context_factor=context_factor or None,
        num_relay_tokens=relay_tokens,
        held_out=held_out,
        class_names=tuple(part.strip() for part in classes.split(",") if part.strip()),
        command=shlex.join(["napari-relay", *sys.argv[1:]]),
    )
    options = TrainOptions(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule.value,
        evaluate_every=evaluate_every,
        seed=seed,
        device=device,
    )
    _follow(train_model(images, labels, output, model, options), name, output)
    _show_scores(output)


def _follow(progress: Iterator[TrainProgress], name: str, output: Path) -> None:
    try:
        with (
            step_bar(f"Training {name}", "steps") as bar,
            # What is done is saved before anything else is said.
            closing(cast("Generator[TrainProgress]", progress)),
        ):
            for state in progress:
                bar.show(state.step, state.steps, _note(state))
    except KeyboardInterrupt as error:
        say_error(
            f"Stopped; what was learnt is kept in {output}; run the same command again to go on."
        )
        raise typer.Exit(INTERRUPTED) from error


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
