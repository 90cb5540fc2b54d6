"""The command ``predict``: segment an image into a mask or a prediction store."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from napari_relay.cli.progress import open_with_bar
from napari_relay.geometry import Window

if TYPE_CHECKING:
    from napari_relay.images import PyramidImage

# The same as napari_relay.inference.devices.Precision, whose import takes seconds (torch).
Precision = Literal["auto", "float32", "bfloat16", "float16"]


def _parse_window(text: str) -> Window:
    """Read ``y0,x0,height,width``, in level-0 pixels."""
    try:
        window = Window(*(int(number) for number in text.split(",")))
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(f"{text!r} is not y0,x0,height,width in whole pixels.") from error
    if window.height < 1 or window.width < 1:
        raise typer.BadParameter(f"{text!r} holds no pixels.")
    return window


def _parse_pixel_size(text: str) -> tuple[float, str]:
    """Read ``0.5um``."""
    found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*(um|µm|m)\s*", text)
    try:
        size = float(found[1]) if found else math.nan
    except ValueError:
        size = math.nan
    if found is None or not 0 < size < math.inf:
        raise typer.BadParameter(f"{text!r} is not a size with its unit, um or m, e.g. 0.5um.")
    return size, found[2].replace("µ", "u")


def _measured(image: PyramidImage, pixel_size: tuple[float, str] | None) -> PyramidImage:
    """The image with the pixel size given now or earlier, unless its file has one."""
    if pixel_size is not None and image.pixel_size is None:
        return replace(image, pixel_size=(pixel_size[0],) * 2, unit=pixel_size[1])
    from napari_relay.images.known_pixel_sizes import with_known_pixel_size

    return with_known_pixel_size(image)


def _parse_blocks(text: str | None) -> tuple[int, ...] | None:
    """Read ``0,3,-1``."""
    if text is None:
        return None
    try:
        return tuple(int(number) for number in text.split(","))
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not whole numbers with commas.") from error


def predict(
    images: Annotated[
        list[Path],
        typer.Argument(
            metavar="IMAGE...",
            help="Image file or folder; several rasters of one place become one image.",
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
            "--output",
            "-o",
            help="Class mask (.tif), or store with confidence and attention too (.zarr).",
            show_default=False,
        ),
    ],
    window: Annotated[
        Window | None,
        typer.Option(
            parser=_parse_window,
            metavar="Y0,X0,H,W",
            help="Only this part, in pixels: first row and column, height, width.",
            show_default=False,
        ),
    ] = None,
    within: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Only the tiles that meet the polygons of a GeoJSON file, in the image's CRS, "
            "or in pixels (x, y) where it has none.",
            show_default=False,
        ),
    ] = None,
    skip_glass: Annotated[
        bool | None,
        typer.Option(
            "--skip-glass/--no-skip-glass",
            help="Leave out tiles of a slide with nothing but glass for 64 µm around; "
            "they get no class. On for RGB images in µm unless switched off.",
            show_default=False,
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    precision: Annotated[
        Precision, typer.Option(help="Number format of the model; auto: bfloat16 on CUDA.")
    ] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Tiles in a forward pass.")] = 4,
    attention: Annotated[
        bool, typer.Option("--attention/--no-attention", help="Record the relay tokens' attention.")
    ] = True,
    attention_blocks: Annotated[
        str | None,
        typer.Option(
            metavar="I,J,...",
            help="Transformer blocks whose attention is kept, e.g. 0,-1 for first and last.",
            show_default="all",
        ),
    ] = None,
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Keep every class's probability in the store.")
    ] = False,
    keep_store: Annotated[
        bool, typer.Option("--keep-store", help="Keep OUTPUT.prediction.zarr beside the mask.")
    ] = False,
    pixel_size: Annotated[
        tuple[float, str] | None,
        typer.Option(
            parser=_parse_pixel_size,
            metavar="SIZE",
            help="Of an image whose file does not say it, e.g. 0.5um or 0.25m.",
            show_default=False,
        ),
    ] = None,
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS",
            help="Predict on the workers of a dask scheduler, e.g. tcp://10.0.0.1:8786; image "
            "and output must lie where all of them find them at the same path.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Segment an image, or several rasters of one place with all their bands.

    After Ctrl-C the same command goes on where it was stopped.
    """
    from napari_relay.cli.job import STORE_SUFFIX, PredictionJob, check_output
    from napari_relay.cli.within import read_polygons
    from napari_relay.images.relief import matching_bands
    from napari_relay.inference import (
        PredictOptions,
        can_show_glass,
        check_fit,
        choose_device,
        share_interpreter,
    )
    from relay_tokens import load_model

    if window is not None and within is not None:
        raise typer.BadParameter("give either --window or --within, not both.")
    check_output(output)
    share_interpreter()
    choose_device(device)
    checkpoint = load_model(model)
    opened = matching_bands(
        _measured(open_with_bar(*images), pixel_size), checkpoint.metadata.bands
    )
    check_fit(opened, checkpoint.metadata)
    polygons = None if within is None else read_polygons(within, opened)
    areas = polygons if window is None else [window]
    # Beside a mask the store is only for resuming: what it alone keeps would be lost work.
    kept = keep_store or output.suffix == STORE_SUFFIX
    options = PredictOptions(
        batch_size=batch_size,
        device=device,
        precision=precision,
        attention=attention and kept,
        attention_blocks=_parse_blocks(attention_blocks),
        probabilities=probabilities and kept,
        skip_glass=can_show_glass(opened) if skip_glass is None else skip_glass,
    )
    PredictionJob(checkpoint, opened, output, areas, options, keep_store, cluster).run()
