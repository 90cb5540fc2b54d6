"""A view of an image as a figure, with scale bar, legend, colour bars and caption."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.figure_drawing import (
    FigureLine,
    FigurePoint,
    draw_lines,
    draw_points,
)
from napari_relay.exporting.scale_bar import scale_bar
from napari_relay.exporting.whole import whole_file
from napari_relay.training.figures import new_figure, plain
from relay_tokens import UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg")
_SIDE = 7.0
_COLUMN = 2.1
_MARGIN = 0.15
_LINE = 0.17
_BAR = 0.62
_FONT = 8.0
_CHARACTERS_AN_INCH = 15.5
_LEAST_DPI, _MOST_DPI = 150, 400


@dataclass(frozen=True)
class FigureBar:
    """What the colours of an overlay mean."""

    title: str
    """What is shown, e.g. ``"Confidence"``."""
    colors: NDArray[np.floating]
    """``(n, 4)``, red to alpha in [0, 1], from low to high."""
    low: float
    """What the first colour means."""
    high: float
    """What the last colour means."""


@dataclass(frozen=True)
class FigureContent:
    """What a figure shows."""

    picture: NDArray[np.uint8]
    """``(rows, cols, 3)``: part of the image with what lies over it."""
    size: tuple[float, float]
    """Height and width of that part, in :attr:`unit`, or in pixels where there is none."""
    unit: str | None = None
    """``"um"`` or ``"m"``; None: pixels."""
    classes: tuple[tuple[str, str], ...] = ()
    """Name and colour ``#rrggbb`` of each class that is shown."""
    bars: tuple[FigureBar, ...] = ()
    """One for each overlay with a scale of colours."""
    caption: tuple[str, ...] = ()
    """Lines below: what was shown, and how."""
    lines: tuple[FigureLine, ...] = ()
    """Drawn over the picture, in order."""
    points: tuple[FigurePoint, ...] = ()
    """Drawn over the lines, in order."""


@dataclass(frozen=True)
class _Page:
    """Where things are, in inches from the upper left corner."""

    image: tuple[float, float]
    """Height and width of the image."""
    column: float
    """Width of what stands beside it; 0: nothing."""
    height: float
    """Of the image, and what stands beside it."""
    caption: tuple[str, ...]
    """Lines that fit."""

    @property
    def size(self) -> tuple[float, float]:
        """Height and width of the whole."""
        beside = self.column + _MARGIN if self.column else 0.0
        below = len(self.caption) * _LINE + (_MARGIN if self.caption else 0.0)
        return 2 * _MARGIN + self.height + below, 2 * _MARGIN + self.image[1] + beside

    def box(
        self, x: float, y: float, width: float, height: float
    ) -> tuple[float, float, float, float]:
        """Left, bottom, width and height as shares of the whole, of a box ``y`` from the top."""
        rows, cols = self.size
        return x / cols, 1 - (y + height) / rows, width / cols, height / rows


def export_figure(content: FigureContent, path: str | Path) -> Path:
    """Write a figure as PNG or SVG, whole or not at all.

    In an SVG the image with its overlays is an embedded picture, all else is
    lines and text that can be edited.

    Parameters
    ----------
    path
        Ends in ``.png`` or ``.svg``; what was there is replaced.

    Raises
    ------
    UserError
        When matplotlib is not installed, or the file cannot be written.
    """
    path = Path(path)
    kind = path.suffix.lower()
    if kind not in SUFFIXES:
        raise UserError(f"{path} is no figure; choose a name that ends in .png or .svg.")
    figure = _drawn(content)
    with whole_file(path) as scratch:
        _save(figure, scratch, kind[1:], content)
    return path


def _save(figure: Figure, path: Path, kind: str, content: FigureContent) -> None:
    from matplotlib import rc_context

    about = "\n".join(content.caption)
    metadata = {"Description": about, **({"Date": None} if kind == "svg" else {})}
    # Text stays text, and the same figure has the same bytes.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "napari-relay"}):
        figure.savefig(path, format=kind, dpi=_dpi(content), metadata=metadata)


def _dpi(content: FigureContent) -> float:
    """So many that no pixel of the image is lost, within reason."""
    finest = max(content.picture.shape) / _SIDE
    return float(np.clip(finest, _LEAST_DPI, _MOST_DPI))


def _drawn(content: FigureContent) -> Figure:
    page = _page(content)
    rows, cols = page.size
    figure = new_figure(cols, rows)
    figure.set_layout_engine("none")
    axes = figure.add_axes(page.box(_MARGIN, _MARGIN, page.image[1], page.image[0]))
    _draw_image(axes, content)
    _draw_scale_bar(axes, content)
    _draw_column(figure, page, content)
    top = rows - _MARGIN - len(page.caption) * _LINE
    for k, line in enumerate(page.caption):
        y = 1 - (top + k * _LINE) / rows
        figure.text(_MARGIN / cols, y, plain(line), fontsize=_FONT, va="top")
    return figure


def _page(content: FigureContent) -> _Page:
    height, width = content.size
    scale = _SIDE / max(height, width)
    image = height * scale, width * scale
    column = _COLUMN if content.classes or content.bars else 0.0
    legend = len(content.classes) * _LINE + (2 * _LINE if content.classes else 0.0)
    needed = legend + len(content.bars) * _BAR
    width_in = image[1] + (column + _MARGIN if column else 0.0)
    lines = [
        part
        for line in content.caption
        for part in textwrap.wrap(line, max(int(width_in * _CHARACTERS_AN_INCH), 20))
    ]
    return _Page(image, column, max(image[0], needed), tuple(lines))


def _draw_image(axes: Axes, content: FigureContent) -> None:
    height, width = content.size
    axes.imshow(content.picture, extent=(0, width, height, 0), interpolation="none")
    draw_lines(axes, content.lines, _SIDE / max(height, width))
    draw_points(axes, content.points)
    axes.set_axis_off()


def _draw_scale_bar(axes: Axes, content: FigureContent) -> None:
    from matplotlib.patches import Rectangle

    height, width = content.size
    bar = scale_bar(width, content.unit)
    unit = max(height, width) / 100
    left, bottom = 2 * unit, height - 2 * unit
    corner, wide = (left - unit, bottom - 5 * unit), bar.length + 2 * unit
    axes.add_patch(Rectangle(corner, wide, 6 * unit, facecolor=(0, 0, 0, 0.55), linewidth=0))
    axes.add_patch(
        Rectangle(
            (left, bottom - 0.8 * unit), bar.length, 0.8 * unit, facecolor="white", linewidth=0
        )
    )
    axes.text(
        left + bar.length / 2,
        bottom - 1.3 * unit,
        bar.text,
        color="white",
        fontsize=_FONT,
        ha="center",
        va="bottom",
    )


def _draw_column(figure: Figure, page: _Page, content: FigureContent) -> None:
    """The legend, then the colour bars, beside the image."""
    from matplotlib.patches import Patch

    x, y = 2 * _MARGIN + page.image[1], _MARGIN
    rows, cols = page.size
    if content.classes:
        figure.legend(
            [
                Patch(facecolor=color, edgecolor="black", linewidth=0.4)
                for _, color in content.classes
            ],
            [plain(name) for name, _ in content.classes],
            title="Classes",
            title_fontsize=_FONT,
            fontsize=_FONT,
            alignment="left",
            frameon=False,
            borderaxespad=0,
            borderpad=0,
            loc="upper left",
            bbox_to_anchor=(x / cols, 1 - y / rows),
        )
        y += (len(content.classes) + 2) * _LINE
    for bar in content.bars:
        figure.text(x / cols, 1 - y / rows, plain(bar.title), fontsize=_FONT, va="top")
        axes = figure.add_axes(page.box(x, y + 1.2 * _LINE, page.column - _MARGIN, 0.12))
        _draw_bar(axes, bar)
        y += _BAR


def _draw_bar(axes: Axes, bar: FigureBar) -> None:
    axes.set_facecolor("0.45")  # something like an image below
    axes.imshow(bar.colors[None], extent=(bar.low, bar.high, 0, 1), aspect="auto")
    axes.set_yticks([])
    axes.set_xticks([bar.low, bar.high], [f"{bar.low:.3g}", f"{bar.high:.3g}"])
    axes.tick_params(labelsize=_FONT - 1, length=2, pad=2)
    first, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")
    last.set_horizontalalignment("right")
