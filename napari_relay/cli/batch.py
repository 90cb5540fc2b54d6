"""The command ``batch``: many images predicted and exported, one after the other."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from napari_relay.cli.export_options import (
    FORMAT_NAMES,
    Classes,
    Filters,
    MinimumArea,
    MinimumConfidence,
    Quantities,
    Simplify,
    parse_formats,
)
from napari_relay.cli.group import FAILED, INTERRUPTED, say_error

if TYPE_CHECKING:
    from napari_relay.cli.batch_run import BatchResult
    from relay_tokens import Checkpoint


def batch(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="FOLDER|PATTERN...",
            help="Folders of images, searched with those in them; patterns in quotes, such as "
            "'slides/*.svs'; or images.",
            show_default=False,
        ),
    ],
    model: Annotated[
        str,
        typer.Option("--model", "-m", help="Model of the zoo, or its folder.", show_default=False),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder in which each image gets its own.", show_default=False
        ),
    ],
    formats: Annotated[
        str,
        typer.Option(
            "--export",
            "-e",
            metavar="A,B,...",
            help=f"Any of {', '.join(name for name in FORMAT_NAMES[:-2])}.",
        ),
    ] = "gpkg,report",
    quantity: Quantities = "classes",
    classes: Classes = None,
    min_area: MinimumArea = 0.0,
    min_confidence: MinimumConfidence = 0.0,
    simplify: Simplify = 0.0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Tiles in a forward pass.")] = 4,
    skip_glass: Annotated[
        bool,
        typer.Option("--skip-glass/--no-skip-glass", help="Leave bare glass of slides out."),
    ] = True,
    keep_stores: Annotated[
        bool,
        typer.Option(
            "--keep-stores/--no-keep-stores", help="Keep the predictions for further exports."
        ),
    ] = True,
) -> None:
    """Predict and export many images; the same command again does only what is missing.

    What fails is listed at the end and stops nothing else; the exit status is 1 then.
    """
    from napari_relay.cli.batch_images import find_images
    from napari_relay.cli.batch_record import keep_settings
    from napari_relay.cli.batch_run import Batch, BatchOptions
    from napari_relay.cli.batch_summary import SUMMARY, write_summary
    from napari_relay.inference import PredictOptions, choose_device, share_interpreter
    from napari_relay.inference.fingerprints import model_fingerprint
    from relay_tokens import load_model

    chosen = parse_formats(formats)
    if any(one.kind == "corrections" for one in chosen):
        raise typer.BadParameter("a batch has no corrections to export.", param_hint="--export")
    filters = Filters(classes, min_area, min_confidence, simplify)
    filters.check(chosen)
    share_interpreter()
    choose_device(device)
    found = find_images(images, output)
    checkpoint = load_model(model)
    settings = {"model": model_fingerprint(checkpoint), "filters": _plain(filters)}
    keep_settings(output, settings)
    predicting = PredictOptions(
        batch_size=batch_size,
        device=device,
        attention=False,
        probabilities=quantity == "probabilities",
        skip_glass=skip_glass,
    )
    options = BatchOptions(chosen, quantity, filters, predicting, keep_stores)
    results: list[BatchResult] = []
    try:
        for result in Batch(checkpoint, output, options).run(found):
            results.append(result)
    except KeyboardInterrupt as error:
        write_summary(output / SUMMARY, results, checkpoint.metadata.classes)
        say_error(_stopped(results, len(found)))
        raise typer.Exit(INTERRUPTED) from error
    _end(results, checkpoint, output)


def _stopped(results: list[BatchResult], total: int) -> str:
    done = sum(result.status != "failed" for result in results)
    return f"Stopped: {done} of {total} images are done; run the same command again to go on."


def _plain(filters: Filters) -> dict[str, object]:
    return {name: value for name, value in asdict(filters).items() if name != "within"}


def _end(results: list[BatchResult], checkpoint: Checkpoint, output: Path) -> None:
    from napari_relay.cli.batch_summary import SUMMARY, show_summary, write_summary

    classes = checkpoint.metadata.classes
    write_summary(output / SUMMARY, results, classes)
    show_summary(results, classes)
    failed = sum(result.status == "failed" for result in results)
    said = f"{len(results) - failed} of {len(results)} images are done: {output / SUMMARY}"
    Console(highlight=False).print(said, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)
