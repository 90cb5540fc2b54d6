"""The command ``evaluate``: score a model on a labelled dataset or image."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from napari_relay.cli.progress import StepBar, open_with_bar, step_bar

if TYPE_CHECKING:
    from napari_relay.training.dataset_evaluation import (
        Evaluation,
        EvaluationOptions,
        EvaluationProgress,
    )
    from relay_tokens import Checkpoint

    Run = Generator[EvaluationProgress, None, Evaluation]

# The same as napari_relay.training.datasets.Split, whose import takes seconds (dask).
Split = Literal["train", "val", "test"]


def evaluate(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Model of the zoo, or its folder.", show_default=False
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="KIND:FOLDER of a dataset, e.g. folder:my-images, or an image file with --labels.",
            show_default=False,
        ),
    ],
    split: Annotated[
        Split | None,
        typer.Option(help="Part of the dataset.", show_default="test, else val"),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="MASK_FILE",
            help="Mask on the image's grid; its values are the model's classes 0, 1, ...",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="REPORT_FOLDER",
            help="Folder of a report: report.html, report.md, scores.json and pictures.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Draw so many windows at random.", show_default="all of them"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random choices.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Windows in a forward pass.")] = 8,
) -> None:
    """Score a model on every window of a dataset, or of an image and its mask."""
    from napari_relay.inference import choose_device, share_interpreter
    from napari_relay.training.dataset_evaluation import EvaluationOptions
    from napari_relay.training.report import prepare_report, write_report
    from relay_tokens import load_model

    if labels is not None and split is not None:
        raise typer.BadParameter("an image with --labels has no --split.")
    choose_device(device)
    checkpoint = load_model(model)
    options = EvaluationOptions(limit=limit, seed=seed, batch_size=batch_size, device=device)
    run = _start(checkpoint, data, split, labels, options)
    if output is not None:
        prepare_report(output)
    share_interpreter()
    evaluation = _follow(run, checkpoint.metadata.name)
    if output is not None:
        write_report(output, evaluation, checkpoint)
    _show(evaluation, output)


def _start(
    checkpoint: Checkpoint,
    data: str,
    split: Split | None,
    labels: Path | None,
    options: EvaluationOptions,
) -> Run:
    """Find what is to be measured on, and say which split that is."""
    from napari_relay.training.dataset_evaluation import evaluate_dataset, evaluate_mask
    from napari_relay.training.datasets import open_dataset
    from napari_relay.training.evaluated_image import choose_split
    from relay_tokens import UserError

    if labels is not None:
        return evaluate_mask(checkpoint, open_with_bar(Path(data)), labels, options)
    if Path(data).exists():
        raise UserError(
            f"{data} has no labels; name a mask file with --labels, or a dataset as KIND:FOLDER."
        )
    dataset = open_dataset(data)
    chosen = choose_split(dataset, split)
    run = evaluate_dataset(checkpoint, dataset, chosen, options)
    said = [*dataset.notes, f"Evaluating on the split {chosen} of {dataset.folder}."]
    for sentence in said:
        Console(stderr=True).print(sentence, markup=False, highlight=False, soft_wrap=True)
    return run


def _follow(run: Run, name: str) -> Evaluation:
    """Work under a bar, to the end."""
    from napari_relay.inference import WithReport

    with step_bar(f"Evaluating {name}", "steps") as bar, closing(WithReport(run)) as steps:
        for progress in steps:
            _show_progress(bar, progress)
        assert steps.report is not None
        return steps.report


def _show_progress(bar: StepBar, progress: EvaluationProgress) -> None:
    is_predicting = progress.stage == "predicting windows"
    note = f"mIoU {progress.miou:.3f}" if is_predicting else progress.stage
    bar.show(progress.done, progress.total, note)


def _show(evaluation: Evaluation, output: Path | None) -> None:
    from napari_relay.training.report import (
        COLUMNS,
        context_sentence,
        score_table,
        score_totals,
    )

    table = Table(title=Text(f"{evaluation.model.name} on {evaluation.data}"))
    table.add_column("class")
    for column in COLUMNS:
        table.add_column(column, justify="right")
    for name, row in score_table(evaluation.scores, evaluation.model.classes):
        table.add_row(Text(name), *row)
    console = Console(highlight=False)
    console.print(table)
    for name, value in score_totals(evaluation.scores):
        console.print(f"{name} {value}")
    if evaluation.context is not None:
        console.print(context_sentence(evaluation.context), soft_wrap=True)
    if output is not None:
        console.print(f"Wrote {output / 'report.html'}", markup=False, soft_wrap=True)
