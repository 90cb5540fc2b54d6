"""The command ``tissue``: write synthetic prostate cores."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.console import Console

from napari_relay.cli.progress import step_bar

if TYPE_CHECKING:
    from collections.abc import Generator

    from napari_relay.tissues import CoreProgress


def tissue(
    output: Annotated[
        Path, typer.Argument(help="Folder of the images and masks.", show_default=False)
    ],
    cores: Annotated[int, typer.Option(min=3, max=10_000, help="How many.")] = 12,
    diameter: Annotated[
        int, typer.Option(min=256, max=8192, help="Of a core, px of 0.5 µm.")
    ] = 3072,
    seed: Annotated[int, typer.Option(min=0, help="Of the first core; each has its own.")] = 0,
) -> None:
    """Write synthetic prostate cores: images, masks of Gleason grades, and splits.

    No real tissue: what a grade looks like is computed. Train on them with
    "--dataset folder:OUTPUT".
    """
    from napari_relay.tissues import write_cores

    progress = write_cores(cores, diameter, seed, output)
    with (
        step_bar("Computing synthetic tissue", "tiles") as bar,
        # What is not whole is removed before anything else is said.
        closing(cast("Generator[CoreProgress]", progress)),
    ):
        for state in progress:
            bar.show(state.done, state.total)
    said = f"Wrote {cores} synthetic cores to {output}"
    Console(highlight=False).print(said, markup=False, soft_wrap=True)
