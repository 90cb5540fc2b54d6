"""The pictures of a report: the image, the mask over it, how sure the model is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.exporting.figure import FigureBar, FigureContent, export_figure
from napari_relay.exporting.reporting.object_sums import ClassObjects, size_bins
from napari_relay.exporting.reporting.sums import PredictionSums
from napari_relay.images.pyramid import PyramidImage
from napari_relay.images.relief.bands import ELEVATION_NAMES
from napari_relay.images.relief.hillshade import Hillshade
from napari_relay.images.relief.spacing import Spacing
from napari_relay.inference.levels import LevelArray
from napari_relay.inference.store import PredictionStore
from napari_relay.training.figures import new_figure, plain, save_figure
from relay_tokens import ClassSchema

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIDE = 900
"""Longest side of an overview in pixels, at most."""
_OVER = 0.55
"""How much of a mask's colour covers the image."""
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
    store: PredictionStore, image: PyramidImage, classes: ClassSchema, folder: Path
) -> Iterator[ReportPicture]:
    """Write the overviews of image, mask and confidence, one after the other."""
    background, shape = overview(image), image.shape
    labels = _thinned(store.labels, shape, background.shape[:2])
    confidence = _thinned(store.confidence, shape, background.shape[:2])
    seen = sorted(set(np.unique(labels).tolist()) & set(range(len(classes))))
    legend = tuple((classes.names[label], classes.colors[label]) for label in seen)
    yield _map(folder, "overview", "The image", "All of it, coarsely.", image, background)
    mask = _covered(background, labels, classes)
    text = "The predicted classes over the image; uncovered: not predicted, or no data."
    yield _map(folder, "mask", "Classes", text, image, mask, legend)
    picture, bar = _confidence_picture(confidence)
    text = "The model's probability of the class it chose; white: not predicted, or no data."
    yield _map(folder, "confidence", "Confidence", text, image, picture, bars=(bar,))


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
            style = {"color": classes.colors[label], "label": plain(classes.names[label])}
            axes.stairs(shares, edges, linewidth=1.8, **style)
    axes.set(xlim=(0, 1), ylim=(0, None))
    _finish(axes)
    return figure


def draw_sizes(found: Sequence[ClassObjects], classes: ClassSchema, unit: str) -> Figure:
    """Draw how many objects of each class have which area, both axes logarithmic."""
    figure = new_figure(7, 3.4)
    axes = figure.add_subplot(xlabel=f"area ({unit})", ylabel="objects")
    edges = size_bins([one.areas for one in found])
    for one in found:
        counts, _ = np.histogram(one.areas, edges)
        style = {"color": classes.colors[one.label], "label": plain(classes.names[one.label])}
        axes.stairs(counts, edges, linewidth=1.8, **style)
    axes.set_xscale("log")
    axes.set_yscale("symlog", linthresh=1)
    axes.set_ylim(0, None)
    _finish(axes)
    return figure


def save_plot(figure: Figure, folder: Path, title: str, text: str, name: str) -> ReportPicture:
    """Write a plot as ``NAME.png``."""
    save_figure(figure, folder / f"{name}.png")
    return ReportPicture(title, text, f"{name}.png")


def overview(image: PyramidImage) -> Rgb:
    """All of an image in colours, at most :data:`SIDE` pixels a side; white without data.

    Red, green and blue where it has them; else elevation as a hillshade, or the first
    band in grey, stretched from the 2nd to the 98th percentile.
    """
    side = max(image.shape)
    level = image.level_for(max(side / SIDE, 1.0))
    patch = image.read(image.window, level)
    step = -(-max(patch.pixels.shape[:2]) // SIDE)
    pixels, valid = patch.pixels[::step, ::step], patch.valid[::step, ::step]
    names = [name.lower() for name in image.bands]
    if set(_COLORS) <= set(names):
        shown = pixels[..., [names.index(color) for color in _COLORS]]
        values = shown if shown.dtype == np.uint8 else _stretched(shown, valid)
    else:
        elevation = next((k for k, name in enumerate(names) if name in ELEVATION_NAMES), None)
        spacing = side / max(pixels.shape[:2]) * _metres(image)
        gray = (
            _stretched(pixels[..., :1], valid)
            if elevation is None
            else _shaded(pixels[..., elevation], valid, spacing)
        )
        values = np.repeat(gray, 3, axis=-1)
    picture: Rgb = np.where(valid[..., None], values, _BLANK).astype(np.uint8)
    return picture


def _map(
    folder: Path,
    name: str,
    title: str,
    text: str,
    image: PyramidImage,
    picture: Rgb,
    classes: tuple[tuple[str, str], ...] = (),
    bars: tuple[FigureBar, ...] = (),
) -> ReportPicture:
    size, unit = (float(image.shape[0]), float(image.shape[1])), None
    if image.pixel_size is not None and image.unit in ("um", "m"):
        size = size[0] * image.pixel_size[0], size[1] * image.pixel_size[1]
        unit = image.unit
    export_figure(FigureContent(picture, size, unit, classes, bars), folder / f"{name}.png")
    return ReportPicture(title, text, f"{name}.png")


def _thinned(
    levels: Sequence[LevelArray], shape: tuple[int, int], wanted: tuple[int, ...]
) -> NDArray[np.uint8]:
    """Nearest pixels of a pyramid whose level ``k`` has every ``2**k``-th pixel."""
    scale = max(shape) / max(wanted)
    level = max(k for k in range(len(levels)) if k == 0 or 2**k <= scale)
    rows, cols = (
        np.minimum((np.arange(count) + 0.5) * side / count, side - 1).astype(int) >> level
        for count, side in zip(wanted, shape, strict=True)
    )
    array = np.asarray(levels[level][: rows[-1] + 1, : cols[-1] + 1])
    found: NDArray[np.uint8] = array[np.ix_(rows, cols)]
    return found


def _covered(background: Rgb, labels: NDArray[np.uint8], classes: ClassSchema) -> Rgb:
    colors = np.zeros((256, 3))
    colors[: len(classes)] = [list(bytes.fromhex(color[1:])) for color in classes.colors]
    mixed = background * (1 - _OVER) + colors[labels] * _OVER
    has_class = (labels < len(classes))[..., None]
    picture: Rgb = np.where(has_class, mixed.round(), background).astype(np.uint8)
    return picture


def _confidence_picture(confidence: NDArray[np.uint8]) -> tuple[Rgb, FigureBar]:
    from matplotlib import colormaps

    table = colormaps["viridis"](np.linspace(0, 1, 256))
    colors = (table[:, :3] * 255).round().astype(np.uint8)
    picture = np.where((confidence > 0)[..., None], colors[confidence], np.uint8(_BLANK))
    return picture, FigureBar("Confidence", table, 0.0, 1.0)


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


def _finish(axes: object) -> None:
    axes.grid(alpha=0.3)  # type: ignore[attr-defined]
    if axes.get_legend_handles_labels()[0]:  # type: ignore[attr-defined]
        axes.legend(frameon=False, fontsize=8)  # type: ignore[attr-defined]
