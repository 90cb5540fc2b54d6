"""The command ``tune``: choose relay tokens, context factor and crop size by short runs."""

from __future__ import annotations

import json
import shlex
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from napari_relay.cli.class_words import ClassWords, Column, Map
from napari_relay.cli.group import INTERRUPTED, say_error
from napari_relay.cli.labelled_data import (
    HeldOut,
    labelled_data,
)
from napari_relay.cli.progress import StepBar, step_bar
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
    from napari_relay.training.training_data import TrainingData
    from napari_relay.training.tuned_run import TunedRun
    from napari_relay.training.tuning import TuneProgress
    from napari_relay.training.tuning_plan import Candidate, TuningPlan

LONGER = 10
"""The suggested training has so many times the steps of the longest run."""


class Numbers(tuple[int, ...]):
    """Whole numbers, which the command line has as one word."""


def _parse_numbers(text: str) -> Numbers:
    """Read numbers with commas between them."""
    try:
        return Numbers(int(part) for part in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no list of numbers such as 2,4,8.") from error


def _numbers(text: str) -> Any:
    """An option that takes numbers with commas between them."""
    return typer.Option(parser=_parse_numbers, metavar="N,N,...", help=text)


def tune(
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder of the runs and their table.", show_default=False
        ),
    ],
    images: Images = None,
    labels: Labels = None,
    data: DatasetName = None,
    classes: ClassNames = "",
    maps: Map = None,
    column: Column = None,
    tokens: Annotated[Numbers, _numbers("Numbers of relay tokens to try.")] = "2,4,8",  # type: ignore[assignment]  # typer parses defaults, too
    context_factors: Annotated[Numbers, _numbers("Context factors to try.")] = "2,4,8",  # type: ignore[assignment]
    crop_sizes: Annotated[Numbers, _numbers("Sides of both crops to try, px.")] = "64,128,256",  # type: ignore[assignment]
    trials: Annotated[
        int | None,
        typer.Option(min=1, help="Combinations to try, at random.", show_default="all of them"),
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Batches of the longest runs.")] = 900,
    reduction: Annotated[
        int, typer.Option(min=2, help="One run in so many goes on, so many times longer.")
    ] = 3,
    batch_size: Annotated[
        int,
        typer.Option(
            min=1, help="Crop pairs of the largest size in a batch; smaller crops get more."
        ),
    ] = 8,
    learning_rate: LearningRate = 1e-3,
    schedule: Schedule = "cosine",
    validation_crops: Annotated[
        int, typer.Option(min=1, help="Held-out windows of the largest size, at most.")
    ] = 64,
    class_balance: ClassBalance = 0.5,
    color_jitter: ColorJitter = 0.3,
    scale_jitter: ScaleJitter = 2.0,
    backbone: Backbone = "vit_tiny_patch16_224",
    backbone_options: BackboneOptions = '{"depth": 6}',  # type: ignore[assignment]
    held_out: HeldOutShare = 0.2,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, crops, split and trials.")] = 0,
    device: Device = "auto",
    precision: Precision = "auto",
) -> None:
    """Choose the relay tokens, context factor and crop size for some data by short runs.

    Each combination is trained a little, the better ones longer. After Ctrl-C, or when
    it was killed, the same command goes on where it was.
    """
    from napari_relay.training.options import TrainOptions
    from napari_relay.training.runs import ModelOptions
    from napari_relay.training.tuned_run import write_tables
    from napari_relay.training.tuning import require_optuna
    from napari_relay.training.tuning_plan import TuneOptions, plan_tuning

    require_optuna()
    choices = TuneOptions(tokens, context_factors, crop_sizes, trials, reduction)
    options = TrainOptions(
        steps=steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        schedule=schedule,
        validation_crops=validation_crops,
        class_balance=class_balance,
        color_jitter=color_jitter,
        scale_jitter=scale_jitter,
        seed=seed,
        device=device,
        precision=precision,
    )
    said = ClassWords(tuple(maps or ()), column)
    source = _Source(images or [], labels, data, classes, held_out, said)
    model = ModelOptions(backbone=backbone, backbone_options=backbone_options)
    plan = plan_tuning(source.open(max(crop_sizes), seed), model, options, choices)
    _announce(plan)
    runs = _follow(plan, output)
    best = next(c for c in plan.candidates if c.combination == runs[0].combination)
    command = shlex.join(_command(best, source, output))
    write_tables(output, runs, plan.skipped, command)
    _show(runs, command, output)


class _Source(NamedTuple):
    """What is trained on, as on the command line."""

    images: list[Path]
    """Image files."""
    labels: str | None
    """Recipe or mask file."""
    data: str | None
    """A dataset instead."""
    classes: str
    """Names of a mask's values."""
    held_out: float
    """Share that is measured on."""
    said: ClassWords
    """Of the classes of a file."""

    def open(self, crop_size: int, seed: int) -> TrainingData:
        """Open it, split for a crop size."""
        held = HeldOut(crop_size, self.held_out, seed)
        return labelled_data(self.images, self.labels, self.data, self.classes, held, self.said)

    def words(self) -> list[str]:
        """It as arguments of the command line."""
        named = {"--labels": self.labels, "--data": self.data, "--classes": self.classes}
        named["--column"] = self.said.column
        given = [word for flag, text in named.items() if text for word in (flag, text)]
        given += [word for text in self.said.words for word in ("--map", text)]
        return [*map(str, self.images), *given, "--held-out", str(self.held_out)]


def _announce(plan: TuningPlan) -> None:
    """Say what is tried, and what is not."""
    console = Console(stderr=True, highlight=False)
    for sentence in plan.skipped:
        console.print(sentence, markup=False, soft_wrap=True)
    rungs = ", ".join(map(str, plan.ladder.rungs))
    count = len(plan.candidates)
    console.print(f"Trying {count} combinations; compared after steps {rungs}.", soft_wrap=True)


def _follow(plan: TuningPlan, output: Path) -> list[TunedRun]:
    """Tune under a bar, to the end."""
    from napari_relay.inference import WithReport
    from napari_relay.training.tuning import tune as tune_models

    try:
        with (
            step_bar("Tuning", "steps") as bar,
            # What is done is saved before anything else is said.
            closing(WithReport(tune_models(plan, output))) as steps,
        ):
            for state in steps:
                _show_progress(bar, state)
            assert steps.report is not None
            return steps.report
    except KeyboardInterrupt as error:
        say_error(f"Stopped; the runs are kept in {output}; run the same command again to go on.")
        raise typer.Exit(INTERRUPTED) from error


def _show_progress(bar: StepBar, state: TuneProgress) -> None:
    tried = state.combination
    note = (
        f"{tried.relay_tokens} tokens · context {tried.context_factor} · crop {tried.crop_size} · "
        f"loss {state.run.loss.total:.2f}"
    )
    bar.show(state.done, state.total, note)


def _command(best: Candidate, source: _Source, output: Path) -> list[str]:
    """The command line that trains the best candidate for long."""
    model, options = best.model, best.options
    named = {
        "--name": f"{output.resolve().name}-best",
        "--output": output / "best",
        "--relay-tokens": model.num_relay_tokens,
        "--context-factor": model.context_factor,
        "--crop-size": model.crop_size,
        "--batch-size": options.batch_size,
        "--steps": LONGER * options.steps,
        "--learning-rate": options.learning_rate,
        "--schedule": options.schedule,
        "--validation-crops": options.validation_crops,
        "--class-balance": options.class_balance,
        "--color-jitter": options.color_jitter,
        "--scale-jitter": options.scale_jitter,
        "--backbone": model.backbone,
        "--backbone-options": json.dumps(dict(model.backbone_options)),
        "--seed": options.seed,
        "--device": options.device,
        "--precision": options.precision,
    }
    flags = [str(word) for pair in named.items() for word in pair]
    return ["napari-relay", "train", *source.words(), *flags]


def _show(runs: list[TunedRun], command: str, output: Path) -> None:
    from napari_relay.training.tuned_run import CSV_TABLE, MARKDOWN_TABLE, shown_columns

    columns = shown_columns(runs)
    table = Table(title="Best first")
    for name in columns:
        table.add_column(name, justify="left" if name == "outcome" else "right")
    for row in zip(*columns.values(), strict=True):
        table.add_row(*row)
    console = Console(highlight=False)
    console.print(table)
    console.print(f"Train the best one for long with\n{command}", markup=False, soft_wrap=True)
    written = f"Wrote {output / MARKDOWN_TABLE} and {output / CSV_TABLE}"
    console.print(written, markup=False, soft_wrap=True)
