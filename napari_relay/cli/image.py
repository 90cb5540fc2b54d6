"""The command ``info``: what a file is, in one screen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from napari_relay.cli.progress import open_with_bar

if TYPE_CHECKING:
    from napari_relay.images import PyramidImage


def info(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE...",
            help="Image, prediction store, session, model, corrections or vector file; several "
            "rasters of one place become one image.",
            show_default=False,
        ),
    ],
) -> None:
    """Say what a file or folder is, and, of an image, which models fit it."""
    from napari_relay.cli.file_facts import other_facts

    others = other_facts(images[0]) if len(images) == 1 else None
    _show(others if others is not None else _image_facts(images))


def _show(facts: list[tuple[str, str]]) -> None:
    table = Table(show_header=False, box=None)
    table.add_column()
    # A path that is cut off would not tell two files of a folder apart.
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(Text(name), Text(value))
    Console().print(table)


def _image_facts(paths: list[Path]) -> list[tuple[str, str]]:
    from napari_relay.exporting.rasters.reading import describe_raster

    opened = open_with_bar(*paths)
    described = describe_raster(paths[0]) if len(paths) == 1 else None
    if described is not None:
        names = ", ".join(described.classes.names) if described.classes else "unknown"
        kind = "class mask" if described.is_mask else described.quantity
        what = [("what", f"{kind} written by napari-relay"), ("classes", names)]
        return [*what, *_facts(opened)]
    fitting = ", ".join(_fitting_models(opened)) or "none of the zoo"
    return [("what", "image"), *_facts(opened), ("models that fit", fitting)]


def _facts(image: PyramidImage) -> list[tuple[str, str]]:
    from napari_relay.images.pixel_size_text import pixel_size_text

    height, width = image.shape
    factors = ", ".join(f"{factor:g}" for factor in image.factors)
    facts = [
        *(("file", str(path)) for path in image.sources),
        ("size", f"{width} × {height} px (width × height)"),
        ("levels", f"{len(image.levels)} (downsampled by {factors})"),
        ("bands", f"{len(image.bands)} ({', '.join(image.bands)})"),
        ("data type", image.dtype.name),
        ("pixel size", pixel_size_text(image)),
        ("CRS", image.crs or "none"),
    ]
    if image.synthetic is not None:
        facts.append(("synthetic", image.synthetic))
    return facts if image.nodata is None else [*facts, ("nodata", f"{image.nodata:g}")]


def _fitting_models(image: PyramidImage) -> list[str]:
    from napari_relay.images.relief import matching_bands
    from napari_relay.inference import check_fit
    from relay_tokens import UserError, load_model, zoo_names

    fitting = []
    for name in zoo_names():
        try:
            metadata = load_model(name).metadata
            check_fit(matching_bands(image, metadata.bands), metadata)
        except UserError:
            continue
        fitting.append(name)
    return fitting
