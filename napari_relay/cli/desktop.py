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

QT_BINDINGS = ("PyQt5", "PyQt6", "PySide6")
"""Import names of the Qt bindings that napari runs on."""


def app(
    images: Annotated[
        list[Path] | None, typer.Argument(help="Images to open.", show_default=False)
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
        typer.Option(help="Write the window to this PNG and close it.", show_default=False),
    ] = None,
) -> None:
    """Open the app on a real slide and segment it with a shipped model."""
    raise typer.Exit(_desktop().run_demo(screenshot))


def _desktop() -> ModuleType:
    """Import the app, once it is sure that a window can be opened.

    By name, since this package must never import Qt by itself.
    """
    from relay_tokens.errors import UserError

    if not any(importlib.util.find_spec(name) for name in QT_BINDINGS):
        raise UserError(
            "The app needs Qt, which is not installed; run: pip install 'napari-relay[pyqt5]'."
        )
    # Qt would abort the process, with a message that helps nobody.
    if sys.platform.startswith("linux") and not _has_display():
        raise UserError(
            "There is no display to open a window on; run the command under xvfb-run, "
            "or use napari-relay predict, which needs none."
        )
    return importlib.import_module("napari_relay.widgets.app")


def _has_display() -> bool:
    return any(os.environ.get(v) for v in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"))
