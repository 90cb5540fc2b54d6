"""Options that ``train`` and ``tune`` share, each with what its help says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def parse_options(text: str) -> dict[str, Any]:
    """Read a JSON object."""
    try:
        options = json.loads(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not JSON ({error}).") from error
    if not isinstance(options, dict):
        raise typer.BadParameter(f'{text!r} is not a JSON object such as {{"depth": 6}}.')
    return options


Images = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="IMAGE",
        help="Image file or folder; several rasters of one place become one image.",
        show_default=False,
    ),
]
Labels = Annotated[
    str | None,
    typer.Option(
        help="stain (H&E slides), slope (terrain), a mask, or a vector file with a class.",
        show_default=False,
    ),
]
DatasetName = Annotated[
    str | None,
    typer.Option(
        metavar="KIND:FOLDER",
        help="A dataset instead of an image, such as cityscapes:/data/cityscapes.",
        show_default=False,
    ),
]
ClassNames = Annotated[
    str, typer.Option(help="Names of the classes 0, 1, ... of a file, with commas between them.")
]
LearningRate = Annotated[float, typer.Option(help="After the warm-up.")]
Schedule = Annotated[Literal["plateau", "cosine"], typer.Option(help="Of the learning rate.")]
ClassBalance = Annotated[
    float, typer.Option(help="Share of the crops centred on a class, each as often.")
]
ColorJitter = Annotated[float, typer.Option(help="Strength of colour changes.")]
ScaleJitter = Annotated[
    float, typer.Option(help="Crops show up to so many times more or less ground; 1: none.")
]
Backbone = Annotated[str, typer.Option(help="A timm model.")]
BackboneOptions = Annotated[
    dict[str, Any],
    typer.Option(parser=parse_options, metavar="JSON", help="More for timm's create_model."),
]
HeldOutShare = Annotated[
    float, typer.Option(min=0.01, max=0.9, help="Share kept for scores where none is named.")
]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")]
Precision = Annotated[
    Literal["auto", "float32", "bfloat16", "float16"],
    typer.Option(help="auto: bfloat16 on CUDA, else float32."),
]
