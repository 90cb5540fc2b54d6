"""The command ``finetune``: teach a model corrections of one image or several."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from napari_relay.cli.class_words import ClassWords, Column, Map, show_mapping
from napari_relay.cli.interrupting import between_steps
from napari_relay.cli.progress import StepBar, open_with_bar, step_bar

if TYPE_CHECKING:
    from napari_relay.training import (
        CorrectedImage,
        FinetuneProgress,
        FinetuneResult,
        Scores,
    )
    from napari_relay.training.imported import ClassMapping, ImportSummary
    from relay_tokens import Checkpoint

# The same as napari_relay.training.finetune_options.Trains, whose import takes seconds (torch).
Trains = Literal["auto", "head", "adapters", "all"]


def finetune(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="Model of the zoo, or its folder.", show_default=False
        ),
    ],
    image: Annotated[
        Path, typer.Argument(metavar="IMAGE", help="Image file or folder.", show_default=False)
    ],
    corrections: Annotated[
        Path,
        typer.Argument(
            metavar="CORRECTIONS",
            help="What was painted over it: a folder of corrections of the app, a mask of "
            "classes (128 + number: not this class; 255: nothing was said), or polygons with "
            "a class.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", help="Folder of the new model.", show_default=False),
    ],
    more: Annotated[
        list[str] | None,
        typer.Option(
            "--more",
            metavar="IMAGE=CORRECTIONS",
            help="Another image with its corrections; may be given several times.",
            show_default=False,
        ),
    ] = None,
    maps: Map = None,
    column: Column = None,
    trains: Annotated[
        Trains,
        typer.Option(help="What changes; auto: as much as about 20 s on this machine allow."),
    ] = "auto",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Batches.", show_default="what suits")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0, help="Of AdamW.", show_default="what suits")
    ] = None,
    holdout: Annotated[
        float, typer.Option(min=0, max=0.9, help="Share of the corrected places measured on.")
    ] = 0.25,
    seed: Annotated[int, typer.Option(min=0, help="Of the random choices.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    force: Annotated[
        bool, typer.Option("--force", help="Write the new model even if it is not recommended.")
    ] = False,
) -> None:
    """Teach a model corrections, and write it as a new one if it is no worse elsewhere.

    After Ctrl-C the best weights so far are measured and written.
    """
    from napari_relay.inference import choose_device, share_interpreter
    from napari_relay.training import FinetuneOptions
    from napari_relay.training import finetune as run
    from relay_tokens import UserError, load_model

    _check_output(output)
    choose_device(device)
    share_interpreter()
    checkpoint = load_model(model)
    pairs = [(image, corrections), *(_parse_pair(text) for text in more or ())]
    said = ClassWords(tuple(maps or ()), column)
    images = [_corrected(checkpoint, *pair, said) for pair in pairs]
    options = FinetuneOptions(
        trains=trains,
        steps=steps,
        learning_rate=learning_rate,
        holdout=holdout,
        seed=seed,
        device=device,
    )
    with between_steps() as wish:
        result = _follow(run(checkpoint, images, options, lambda: wish.is_there), checkpoint)
    if result is None:
        raise UserError("Stopped before the first step; nothing was learnt and nothing written.")
    _show(result)
    if not (result.recommended or force):
        raise UserError(
            "The new model is not recommended and was not written; "
            "give --force to write it all the same."
        )
    _write(result, output)


def _parse_pair(text: str) -> tuple[Path, Path]:
    """Read ``IMAGE=CORRECTIONS``."""
    image, found, corrections = text.partition("=")
    if not (image and found and corrections):
        raise typer.BadParameter(f"{text!r} is not IMAGE=CORRECTIONS.")
    return Path(image), Path(corrections)


def _check_output(output: Path) -> None:
    from relay_tokens import UserError

    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise UserError(f"{output} is there already; choose a folder that is new or empty.")


def _corrected(
    checkpoint: Checkpoint, path: Path, corrections: Path, said: ClassWords
) -> CorrectedImage:
    """Open an image with what was painted over it."""
    from napari_relay.annotation.correction_files import read_corrected
    from napari_relay.images.relief import matching_bands
    from napari_relay.inference import check_fit

    metadata = checkpoint.metadata
    image = matching_bands(open_with_bar(path), metadata.bands)
    check_fit(image, metadata)

    def told(summary: ImportSummary, mapping: ClassMapping) -> None:
        show_mapping(corrections, summary, mapping, metadata.classes)

    return read_corrected(image, corrections, metadata, said.words, said.column, told)


def _follow(run: Iterator[FinetuneProgress], checkpoint: Checkpoint) -> FinetuneResult | None:
    """Work under a bar, to the end."""
    result = None
    with step_bar(f"Fine-tuning {checkpoint.metadata.name}", "steps") as bar:
        for progress in run:
            _show_progress(bar, progress)
            result = progress.result or result
    return result


def _show_progress(bar: StepBar, progress: FinetuneProgress) -> None:
    scores = f"{progress.before:.2f} → {progress.after:.2f}"
    note = f"loss {progress.loss:.3f}, mIoU on corrections {scores}"
    bar.show(progress.step, progress.steps, note)


def _show(result: FinetuneResult) -> None:
    """The gate's table, and what it says."""
    held_out = "corrections held out" if result.is_held_out else "corrections learnt"
    table = Table(title=Text(f"{result.state.metadata.name}: mIoU before and after"))
    table.add_column("measured on")
    for heading in ("before", "after"):
        table.add_column(heading, justify="right")
    names = result.state.metadata.classes.names
    for row in _rows(held_out, result.before, result.after, names):
        table.add_row(*row)
    if result.base_before is not None and result.base_after is not None:
        for row in _rows("training data", result.base_before, result.base_after, names):
            table.add_row(*row)
    table.add_row("like before, elsewhere", "", _number(result.agreement))
    console = Console(highlight=False)
    console.print(table)
    word = "Recommended." if result.recommended else "Not recommended."
    console.print(f"{word} {result.reason}", markup=False, soft_wrap=True)


def _rows(
    kind: str, before: Scores, after: Scores, names: tuple[str, ...]
) -> Iterator[tuple[Text, str, str]]:
    """The mean, and each class that is labelled."""
    yield Text(kind), _number(before.miou), _number(after.miou)
    labelled = before.confusion.sum(axis=1) > 0
    for name, old, new, is_there in zip(names, before.iou, after.iou, labelled, strict=True):
        if is_there:
            yield Text(f"  {name}"), _number(float(old)), _number(float(new))


def _number(value: float) -> str:
    return "–" if value != value else f"{value:.3f}"


def _write(result: FinetuneResult, output: Path) -> None:
    from napari_relay.training.runs import save_with_card

    old = result.state.metadata
    record = {**old.training, "finetuned_from": old.name}
    metadata = replace(old, name=output.resolve().name, training=record)
    save_with_card(output, replace(result.state, metadata=metadata))
    Console(highlight=False).print(f"Wrote {output}", markup=False, soft_wrap=True)
