"""The command ``export``: a prediction in the formats of other programs."""

from __future__ import annotations

from collections.abc import Sequence
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

if TYPE_CHECKING:
    from napari_relay.cli.prediction_source import PredictionSource
    from napari_relay.exporting.formats import ExportFormat


def export(
    prediction: Annotated[
        Path,
        typer.Argument(
            metavar="PREDICTION",
            help="Prediction store (.zarr), or session of the app (.relay).",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder, made if it is not there; or, of one format, the file itself.",
            show_default=False,
        ),
    ],
    images: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="IMAGE...",
            help="What was predicted, where it is not found beside the store; of a session, "
            "the images that are wanted.",
            show_default=False,
        ),
    ] = None,
    formats: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            metavar="A,B,...",
            help=f"Any of {', '.join(FORMAT_NAMES)}.",
            show_default="by OUTPUT's suffix",
        ),
    ] = None,
    quantity: Quantities = "classes",
    classes: Classes = None,
    min_area: MinimumArea = 0.0,
    min_confidence: MinimumConfidence = 0.0,
    simplify: Simplify = 0.0,
    within: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Only what lies within the polygons of a GeoJSON file, in the image's CRS, or in "
            "pixels (x, y) where it has none; a raster is cut to the window around them.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model",
            "-m",
            help="That predicted, for the report's model card, where it is not of the zoo.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a prediction as rasters, polygons or a report.

    What is written is there whole or not at all.
    """
    from napari_relay.cli.prediction_source import open_predictions
    from napari_relay.exporting.formats import format_of
    from napari_relay.inference import share_interpreter

    chosen = parse_formats(formats) if formats is not None else (format_of(output),)
    filters = Filters(classes, min_area, min_confidence, simplify, within)
    filters.check(chosen)
    share_interpreter()
    sources = open_predictions(prediction, images or [], model)
    for source, one, path in _jobs(sources, chosen, output, quantity):
        _export(source, one, path, filters, quantity)


def _jobs(
    sources: Sequence[PredictionSource],
    formats: Sequence[ExportFormat],
    output: Path,
    quantity: Quantities,
) -> list[tuple[PredictionSource, ExportFormat, Path]]:
    """What is written where; the folder is made."""
    from napari_relay.exporting.formats import ExportRequest
    from relay_tokens import UserError

    if len(sources) == len(formats) == 1 and _is_itself(output, formats[0]):
        return [(sources[0], formats[0], output)]
    if any(one.fits(output) for one in formats):
        raise typer.BadParameter(
            f"{output} is one file, and {len(sources) * len(formats)} are asked for; name a folder."
        )
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {output} cannot be made ({error.strerror or error}); choose another one."
        ) from error
    request = ExportRequest(quantity=quantity)
    return [
        (source, one, output / one.file_name(stem, request))
        for stem, source in _named(sources)
        for one in formats
    ]


def _is_itself(output: Path, one: ExportFormat) -> bool:
    """Whether the output is what is written, and not the folder around it."""
    return one.fits(output) or (not one.suffix and not output.exists())


def _named(sources: Sequence[PredictionSource]) -> list[tuple[str, PredictionSource]]:
    """Each with a name of its own."""
    stems = [source.stem for source in sources]
    return [
        (stem if stems.count(stem) == 1 else f"{stem}-{number}", source)
        for number, (stem, source) in enumerate(zip(stems, sources, strict=True), 1)
    ]


def _export(
    source: PredictionSource, one: ExportFormat, path: Path, filters: Filters, quantity: Quantities
) -> None:
    from napari_relay.cli.export_run import run_export
    from napari_relay.exporting.formats import ExportRequest

    request = ExportRequest(
        quantity, filters.options(source.image), source.checkpoint, source.corrections
    )
    run_export(one, source.store, source.image, path, request)
    Console(highlight=False).print(f"Wrote {path}", markup=False, soft_wrap=True)
