"""The command ``landscape``: write synthetic archaeological terrain."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer
from rich.console import Console

from napari_relay.cli.progress import step_bar

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_relay.landscapes import Landscape, WriteProgress


def landscape(
    output: Annotated[
        Path,
        typer.Argument(
            help="Folder of the three GeoTIFF files, or a file NAME.landscape from which the "
            "pixels are computed when they are read.",
            show_default=False,
        ),
    ],
    size: Annotated[int, typer.Option(min=1, max=32768, help="Rows and columns, px.")] = 4096,
    seed: Annotated[int, typer.Option(min=0, help="The same seed, the same land.")] = 0,
    scale: Annotated[
        float,
        typer.Option(help="Factor on all lengths: 1 suits crops of 128 px, 2 of 256 px."),
    ] = 1.0,
    soil: Annotated[
        Literal["laterite", "loess"], typer.Option(help="Colours of the ground.")
    ] = "laterite",
    plan: Annotated[
        Literal["rows", "courts"], typer.Option(help="How compounds are divided.")
    ] = "rows",
    roughness: Annotated[
        float, typer.Option(help="Factor on the heights of the ground's small humps.")
    ] = 1.0,
) -> None:
    """Write a sample landscape: photograph, elevation and labels.

    Its classes are decided by enclosures that no local crop shows.
    """
    from napari_relay.landscapes import (
        LANDSCAPE_SUFFIX,
        Landscape,
        LandscapeStyle,
        write_landscape_file,
    )
    from napari_relay.landscapes.style import Plan, Soil

    style = LandscapeStyle(Soil(soil), Plan(plan), roughness)
    land = Landscape(seed, (size, size), scale, style)
    if output.suffix.lower() == LANDSCAPE_SUFFIX:
        write_landscape_file(land, output)
    else:
        _write_files(land, output)
    Console(highlight=False).print(f"Wrote {output}", markup=False, soft_wrap=True)


def _write_files(land: Landscape, folder: Path) -> None:
    """Write the GeoTIFF files, and show how far it is."""
    from napari_relay.landscapes import write_landscape

    with (
        step_bar("Writing the landscape", "tiles") as bar,
        # What is not whole is removed before anything else is said.
        closing(cast("Generator[WriteProgress]", write_landscape(land, folder))) as progress,
    ):
        for state in progress:
            bar.show(state.done, state.total)
