"""The command ``export-model``: a model in a format that other programs run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console


def export_model(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Model of the zoo, its folder (also that of a version in a session), or a package "
            "(.bioimageio.zip).",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="File to write: .onnx, .pt2 (torch.export), or .bioimageio.zip.",
            show_default=False,
        ),
    ],
    author: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Who made the model, for a package; may be given several times.",
            show_default=False,
        ),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            "--licence",
            "--license",
            metavar="SPDX",
            help="Licence of the model, for a package, e.g. CC-BY-4.0.",
            show_default="that of its training record",
        ),
    ] = None,
    training_tiles: Annotated[
        bool,
        typer.Option(
            "--training-tiles",
            help="Put the tiles of its training data into a package that fine-tuning reminds it "
            "of. They are pictures of that data.",
        ),
    ] = False,
) -> None:
    """Write a model as ONNX, torch.export or BioImage.IO package, and check that it is the same."""
    from napari_relay.exporting.models import (
        ModelExportOptions,
        check_model_path,
        export_model,
    )
    from relay_tokens import load_model

    check_model_path(output)
    options = ModelExportOptions(tuple(author or ()), licence, training_tiles)
    console = Console(highlight=False)
    with console.status("Exporting and checking…"):
        for _ in export_model(load_model(model), output, options):
            pass
    console.print(f"Wrote {output}", markup=False, soft_wrap=True)
