"""The pictures of a report: the image, the mask over it, how sure the model is."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_relay.exporting.figure import FigureBar, FigureContent, export_figure
from napari_relay.exporting.figure_drawing import FigureLine
from napari_relay.exporting.reporting.object_sums import ClassObjects, size_bins
from napari_relay.exporting.reporting.sums import PredictionSums
from napari_relay.exporting.vectors.options import BACKGROUND
from napari_relay.geometry import Window, union
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.relief.bands import ELEVATION_NAMES
from napari_relay.images.relief.hillshade import Hillshade
from napari_relay.images.relief.spacing import Spacing
from napari_relay.inference.levels import LevelArray
from napari_relay.inference.store import PredictionStore
from napari_relay.training.figures import new_figure, plain, save_figure
from relay_tokens import ClassSchema

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE = 900
"""Longest side of an overview in pixels, at most."""
_OVER = 0.55
"""How much of a mask's colour covers the image."""
_MANY = 100
"""Objects from which on they are counted on a logarithmic scale."""
_FRAME = (0.84, 0.37, 0.0, 1.0)
_COLORS = ("red", "green", "blue")
_BLANK = 255

Rgb = NDArray[np.uint8]
"""``(rows, cols, 3)``."""


class ReportPicture(NamedTuple):
    """A picture of a report."""

    title: str
    """Its heading."""
    text: str
    """What it shows."""
    file: str
    """Name of the PNG file."""


def draw_maps(
    store: PredictionStore,
    image: PyramidImage,
    classes: ClassSchema,
    folder: Path,
    within: shapely.Geometry | None = None,
) -> Iterator[ReportPicture]:
    """Write the overviews of image, mask and confidence, one after the other.

    Mask and confidence show the part that is predicted, and of it what lies around
    ``within``, in level-0 pixel corners ``(x, y)``.
    """
    part = shown_part(store, image, within)
    yield _overview(image, part, folder)
    background = overview(image, part)
    labels = _thinned(store.labels, part, background.shape[:2])
    confidence = _thinned(store.confidence, part, background.shape[:2])
    seen = sorted(set(np.unique(labels).tolist()) & set(range(len(classes))))
    named = [classes.classes[label] for label in seen]
    legend = tuple((one.name, one.color) for one in named if one.name.lower() != BACKGROUND)
    mask = _covered(background, labels, classes)
    drawn = FigureContent(mask, *_extent(image, part), legend)
    text = "The predicted classes over the image; uncovered: background or not predicted."
    yield _save(drawn, folder, ReportPicture("Classes", text, "mask.png"))
    picture, bar = _confidence_picture(confidence)
    drawn = FigureContent(picture, *_extent(image, part), (), (bar,))
    text = "The model's probability of the class it chose; white: not predicted, or no data."
    yield _save(drawn, folder, ReportPicture("Confidence", text, "confidence.png"))


def shown_part(
    store: PredictionStore, image: PyramidImage, within: shapely.Geometry | None = None
) -> Window:
    """The smallest window around what is predicted, and of it around an area."""
    rows, cols = (np.flatnonzero(store.finished.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return image.window
    first, last = store.grid.tile(rows[0], cols[0]), store.grid.tile(rows[-1], cols[-1])
    part = union(Window(*map(int, first)), Window(*map(int, last)))
    if within is not None:
        left, top, right, bottom = (math.floor(edge) for edge in within.bounds)
        inside = part.intersection(Window(top, left, bottom + 1 - top, right + 1 - left))
        part = inside if inside.area else part
    return part


def draw_confidence(sums: PredictionSums, classes: ClassSchema, chosen: Sequence[int]) -> Figure:
    """Draw how the pixels of each chosen class are spread over the confidence."""
    figure = new_figure(7, 3.4)
    axes = figure.add_subplot(xlabel="confidence", ylabel="share of the class's pixels")
    edges = np.linspace(0, 1, 21)
    middles = np.arange(256) / 255
    for label in chosen:
        counts = sums.counts[label]
        if counts.sum():
            shares, _ = np.histogram(middles, edges, weights=counts / counts.sum())
            name, color = plain(classes.names[label]), classes.colors[label]
            axes.stairs(shares, edges, linewidth=1.8, color=color, label=name)
    axes.set(xlim=(0, 1), ylim=(0, None))
    _finish(axes)
    return figure


def draw_sizes(found: Sequence[ClassObjects], classes: ClassSchema, unit: str) -> Figure:
    """Draw how many objects of each class have which area; of many on a logarithmic scale."""
    figure = new_figure(7, 3.4)
    axes = figure.add_subplot(xlabel=f"area ({unit})", ylabel="objects")
    edges = size_bins([one.areas for one in found])
    for one in found:
        counts, _ = np.histogram(one.areas, edges)
        name, color = plain(classes.names[one.label]), classes.colors[one.label]
        axes.stairs(counts, edges, linewidth=1.8, color=color, label=name)
    axes.set_xscale("log")
    if sum(len(one.areas) for one in found) > _MANY:
        axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(bottom=0)
    axes.margins(y=0.1)
    _finish(axes)
    return figure


def save_plot(figure: Figure, folder: Path, title: str, text: str, name: str) -> ReportPicture:
    """Write a plot as ``NAME.png``."""
    save_figure(figure, folder / f"{name}.png")
    return ReportPicture(title, text, f"{name}.png")


def overview(image: PyramidImage, window: Window) -> Rgb:
    """A window of an image in colours, at most :data:`SIDE` pixels a side; white without data.

    Red, green and blue where it has them; else elevation as a hillshade, or the first
    band in grey, stretched from the 2nd to the 98th percentile.
    """
    side = max(window.height, window.width)
    patch = image.read(window, image.level_for(max(side / SIDE, 1.0)))
    step = -(-max(patch.pixels.shape[:2]) // SIDE)
    pixels, valid = patch.pixels[::step, ::step], patch.valid[::step, ::step]
    names = [name.lower() for name in image.bands]
    elevation = next((k for k, name in enumerate(names) if name in ELEVATION_NAMES), None)
    if set(_COLORS) <= set(names):
        values = _bright(pixels[..., [names.index(color) for color in _COLORS]], valid)
    elif elevation is not None:
        spacing = side / max(pixels.shape[:2]) * _metres(image)
        values = np.repeat(_shaded(pixels[..., elevation], valid, spacing), 3, axis=-1)
    else:
        values = np.repeat(_stretched(pixels[..., :1], valid), 3, axis=-1)
    picture: Rgb = np.where(valid[..., None], values, _BLANK).astype(np.uint8)
    return picture


def _overview(image: PyramidImage, part: Window, folder: Path) -> ReportPicture:
    """The whole image, with the outline of the part that the other pictures show."""
    content = FigureContent(overview(image, image.window), *_extent(image, image.window))
    text = "All of it, coarsely."
    if part != image.window:
        text = "All of it, coarsely; the frame is what the next pictures show."
        size = _side(image)
        rows, cols = (part.y0, part.y0, part.y1, part.y1), (part.x0, part.x1, part.x1, part.x0)
        corners = np.column_stack([rows, cols]) * size
        width = max(content.size) / 200
        outline = FigureLine(corners, _FRAME, (0, 0, 0, 0), width)
        content = replace(content, lines=(outline,))
    return _save(content, folder, ReportPicture("The image", text, "overview.png"))


def _save(content: FigureContent, folder: Path, picture: ReportPicture) -> ReportPicture:
    export_figure(content, folder / picture.file)
    return picture


def _side(image: PyramidImage) -> tuple[float, float]:
    """``(row, col)`` size of a pixel as a figure has it."""
    known = image.pixel_size is not None and image.unit in ("um", "m")
    return image.pixel_size if known and image.pixel_size is not None else (1.0, 1.0)


def _extent(image: PyramidImage, part: Window) -> tuple[tuple[float, float], str | None]:
    """Size of a part as a figure has it, and the unit."""
    height, width = _side(image)
    unit = image.unit if image.pixel_size is not None and image.unit in ("um", "m") else None
    return (part.height * height, part.width * width), unit


def _thinned(
    levels: Sequence[LevelArray], part: Window, wanted: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Nearest pixels in a part of a pyramid whose level ``k`` has every ``2**k``-th pixel."""
    scale = max(part.height, part.width) / max(wanted)
    level = max(k for k in range(len(levels)) if k == 0 or 2**k <= scale)
    rows, cols = (
        first + np.minimum((np.arange(count) + 0.5) * side / count, side - 1).astype(int)
        for count, first, side in (
            (wanted[0], part.y0, part.height),
            (wanted[1], part.x0, part.width),
        )
    )
    rows, cols = rows >> level, cols >> level
    array = np.asarray(levels[level][rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1])
    found: NDArray[np.uint8] = array[np.ix_(rows - rows[0], cols - cols[0])]
    return found


def _covered(background: Rgb, labels: NDArray[np.uint8], classes: ClassSchema) -> Rgb:
    colors = np.zeros((256, 3))
    colors[: len(classes)] = [list(bytes.fromhex(color[1:])) for color in classes.colors]
    mixed = background * (1 - _OVER) + colors[labels] * _OVER
    is_shown = np.zeros(256, np.bool_)
    is_shown[: len(classes)] = [name.lower() != BACKGROUND for name in classes.names]
    has_class = is_shown[labels][..., None]
    picture: Rgb = np.where(has_class, mixed.round(), background).astype(np.uint8)
    return picture


def _confidence_picture(confidence: NDArray[np.uint8]) -> tuple[Rgb, FigureBar]:
    from matplotlib import colormaps

    table = colormaps["viridis"](np.linspace(0, 1, 256))
    colors = (table[:, :3] * 255).round().astype(np.uint8)
    picture = np.where((confidence > 0)[..., None], colors[confidence], np.uint8(_BLANK))
    return picture, FigureBar("Confidence", table, 0.0, 1.0)


def _bright(values: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.generic]:
    """Colours ``(rows, cols, 3)`` as 0 to 255; those of 8 bits as they are."""
    known = values[valid]
    if values.dtype == np.uint8:
        return values
    # of 8 bits too, and float only for the sake of an elevation beside them
    as_bytes = known.size and known.min() >= 0 and 128 < known.max() <= 255
    return values if as_bytes else _stretched(values, valid)


def _stretched(values: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Bands ``(rows, cols, band)`` from their 2nd to their 98th percentile, 0 to 255."""
    known = np.where(valid[..., None], values, 0).astype(np.float64)
    inside = known[valid]
    if not inside.size:
        return known
    low, high = np.percentile(inside, (2, 98))
    stretched: NDArray[np.float64] = np.clip((known - low) / max(high - low, 1e-12), 0, 1) * 255
    return stretched


def _shaded(
    elevation: NDArray[np.generic], valid: NDArray[np.bool_], spacing: float
) -> NDArray[np.float64]:
    """Hillshade ``(rows, cols, 1)``, 0 to 255."""
    relief = Hillshade()
    middle = float(elevation[valid].mean()) if valid.any() else 0.0
    filled = np.where(valid, elevation, middle).astype(np.float32)
    padded = np.pad(filled, relief.halo, mode="edge")
    shade = relief.compute(padded, Spacing(spacing, spacing))[..., None]
    return _stretched(shade, valid)


def _metres(image: PyramidImage) -> float:
    known = image.pixel_size is not None and image.unit == "m"
    return image.pixel_size[0] if known and image.pixel_size is not None else 1.0


def _finish(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize=8)
