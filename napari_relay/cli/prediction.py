"""The command ``predict``: segment an image into a mask or a prediction store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from napari_relay.cli.progress import open_with_bar
from napari_relay.geometry import Window


def _parse_window(text: str) -> Window:
    """Read ``y0,x0,height,width``, in level-0 pixels."""
    try:
        window = Window(*(int(number) for number in text.split(",")))
    except (ValueError, TypeError) as error:
        raise typer.BadParameter(f"{text!r} is not y0,x0,height,width in whole pixels.") from error
    if window.height < 1 or window.width < 1:
        raise typer.BadParameter(f"{text!r} holds no pixels.")
    return window


def predict(
    image: Annotated[
        Path, typer.Argument(help="Image file, or OME-Zarr folder.", show_default=False)
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
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1 or mps.")] = "auto",
    batch_size: Annotated[int, typer.Option(min=1, help="Tiles in a forward pass.")] = 4,
    attention: Annotated[
        bool, typer.Option("--attention/--no-attention", help="Record the relay tokens' attention.")
    ] = True,
    keep_store: Annotated[
        bool, typer.Option("--keep-store", help="Keep OUTPUT.prediction.zarr beside the mask.")
    ] = False,
) -> None:
    """Segment an image.

    After Ctrl-C the same command goes on where it was stopped.
    """
    from napari_relay.cli.job import STORE_SUFFIX, PredictionJob, check_output
    from napari_relay.inference import PredictOptions, check_fit, choose_device
    from relay_tokens import load_model

    check_output(output)
    choose_device(device)
    checkpoint = load_model(model)
    opened = open_with_bar(image)
    check_fit(opened, checkpoint.metadata)
    # Beside a mask the store is only for resuming: attention would be lost work.
    attention = attention and (keep_store or output.suffix == STORE_SUFFIX)
    options = PredictOptions(batch_size=batch_size, device=device, attention=attention)
    PredictionJob(checkpoint, opened, output, window, options, keep_store).run()
