"""The command ``napari-relay``: the app's work without a window, and the app itself.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from napari_relay import __version__
from napari_relay.cli.batch import batch
from napari_relay.cli.desktop import app, demo
from napari_relay.cli.evaluation import evaluate
from napari_relay.cli.exporting import export
from napari_relay.cli.finetuning import finetune
from napari_relay.cli.group import RelayGroup
from napari_relay.cli.image import info
from napari_relay.cli.landscape import landscape
from napari_relay.cli.model_export import export_model
from napari_relay.cli.prediction import predict
from napari_relay.cli.tissue import tissue
from napari_relay.cli.training import train
from napari_relay.cli.tuning import tune
from napari_relay.cli.zoo import models

__all__ = ["cli", "main"]

EXAMPLES: dict[Callable[..., None], str] = {
    app: "app slide.svs --model tissue-vit-tiny",
    demo: "demo --screenshot demo.png",
    predict: "predict slide.svs --model tissue-vit-tiny --output mask.tif",
    export: "export slide.zarr --format gpkg,report --output results",
    batch: "batch slides --model tissue-vit-tiny --export gpkg,report --output results",
    train: "train slide.svs --labels stain --name my-tissue --output runs/my-tissue",
    tune: "tune slide.svs --labels stain --output tuned",
    finetune: "finetune tissue-vit-tiny slide.svs corrected.tif --output my-tissue",
    evaluate: "evaluate tissue-vit-tiny folder:my-slides --output report",
    models: "models",
    export_model: "export-model tissue-vit-tiny --output tissue.bioimageio.zip",
    landscape: "landscape land --size 4096 --seed 1",
    tissue: "tissue cores --cores 12 --seed 1",
    info: "info terrain.tif",
}
"""The commands, in the order of the help, each with an example."""

cli = typer.Typer(
    name="napari-relay",
    cls=RelayGroup,
    help="Segment ultra-high-resolution images with relay tokens.",
    epilog=f"Example: napari-relay {EXAMPLES[predict]}",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _command, _example in EXAMPLES.items():
    cli.command(epilog=f"Example: napari-relay {_example}")(_command)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"napari-relay {__version__}")
        raise typer.Exit


@cli.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Hold the options that stand before any command."""


def main() -> None:
    """Run ``napari-relay`` with the process's arguments and exit.

    The exit status is 0, 1 after a mistake a user can mend, 2 when the command
    line cannot be understood, and 130 when Ctrl-C stopped it.
    """
    cli()
