"""Matplotlib figures without a window, and without any global state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from relay_tokens import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


def require_matplotlib() -> None:
    """Make sure that pictures can be drawn, before a long run.

    Raises
    ------
    UserError
        When matplotlib is not installed.
    """
    try:
        import matplotlib.backends.backend_agg  # noqa: F401
    except ImportError as error:
        raise UserError(
            "Pictures need matplotlib; run: pip install 'napari-relay[train]'"
        ) from error


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure of a size in inches; nothing in it is cut off.

    Raises
    ------
    UserError
        When matplotlib is not installed.
    """
    require_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> Path:
    """Write a figure as PNG, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(path.name + ".part")
    figure.savefig(scratch, format="png", dpi=DPI)
    scratch.replace(path)
    return path


def plain(text: str) -> str:
    """Text that matplotlib shows as it is, dollars included."""
    return text.replace("$", r"\$")
