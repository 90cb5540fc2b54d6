"""The commands that open a window: ``app`` and ``demo``."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer
from rich.console import Console

QT_BINDINGS = ("PyQt5", "PyQt6", "PySide6")
"""Import names of the Qt bindings that napari runs on."""
SYNTHETIC = (
    "The landscape is synthetic: computed from a seed, not surveyed. "
    "For a real slide run: napari-relay demo --slide"
)
"""What is said before the landscape is shown."""


def app(
    images: Annotated[
        list[Path] | None,
        typer.Argument(help="Images to open, or a session (.relay).", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", "-m", help="Model of the zoo, or its folder.", show_default=False),
    ] = None,
    stack: Annotated[
        bool, typer.Option("--stack", help="Open rasters of one place as one image.")
    ] = False,
) -> None:
    """Open the app."""
    raise typer.Exit(_desktop().run_app(images or [], model, stack=stack))


def demo(
    screenshot: Annotated[
        Path | None,
        typer.Option(
            help="Predict what is in view, write the window to this PNG and close it.",
            show_default=False,
        ),
    ] = None,
    slide: Annotated[
        bool, typer.Option("--slide", help="Show a real slide instead of the landscape.")
    ] = False,
) -> None:
    """Open the app on a synthetic landscape and segment it with a shipped model."""
    widgets = _desktop("demo")
    if not slide:
        Console(highlight=False).print(SYNTHETIC, soft_wrap=True)
    raise typer.Exit(widgets.run_demo(widgets.SLIDE if slide else widgets.LANDSCAPE, screenshot))


def _desktop(name: str = "app") -> ModuleType:
    """Import a module of the app, once it is sure that a window can be opened.

    By name, since this package must never import Qt by itself.
    """
    from relay_tokens.errors import UserError

    if not any(importlib.util.find_spec(binding) for binding in QT_BINDINGS):
        raise UserError(
            "The app needs Qt, which is not installed; run: pip install 'napari-relay[pyqt5]'."
        )
    # Qt would abort the process, with a message that helps nobody.
    if sys.platform.startswith("linux") and not _has_display():
        raise UserError(
            "There is no display to open a window on; run the command under xvfb-run, "
            "or use napari-relay predict, which needs none."
        )
    return importlib.import_module(f"napari_relay.widgets.{name}")


def _has_display() -> bool:
    return any(os.environ.get(v) for v in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
