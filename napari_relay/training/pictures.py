"""Examples as a person can look at them: crops, labels, prediction and confidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from napari_relay.images.relief.bands import ELEVATION_NAMES
from napari_relay.images.relief.hillshade import Hillshade
from napari_relay.images.relief.spacing import Spacing
from napari_relay.training.evaluation import PredictedExample
from napari_relay.training.examples import COLOR_BANDS
from napari_relay.training.figures import new_figure, plain
from relay_tokens import IGNORE_INDEX, Checkpoint, ClassSchema, ModelMetadata

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from relay_tokens import RelayConfig

Picture = NDArray[np.float64]
"""``(rows, cols, 3)``: red, green, blue, 0 to 1."""
NO_LABEL = "#ffffff"
"""Colour of a pixel without a class."""
SIDE = 1.9
"""Of a crop in a figure, in inches."""


class ShownExample(NamedTuple):
    """A row of a figure."""

    title: str
    """What stands before the row; may be empty."""
    predicted: PredictedExample
    """What is drawn."""


def draw_examples(rows: Sequence[ShownExample], checkpoint: Checkpoint) -> Figure:
    """Draw each example as a row, with a legend of the classes.

    Local crop, labels, prediction, confidence and, unless the model is
    single-scale, the global crop with the outline of the local one.

    Parameters
    ----------
    rows
        At least one.
    checkpoint
        The model that predicted them.
    """
    titles = ["local crop", "labels", "prediction", "confidence"]
    titles += ["global crop"] if checkpoint.model.config.context_factor else []
    figure = new_figure(SIDE * len(titles) + 0.4, SIDE * len(rows) + 1.1)
    heights = [1.0] * len(rows) + [0.05]
    grid = figure.add_gridspec(len(rows) + 1, len(titles), height_ratios=heights)
    for number, row in enumerate(rows):
        axes = [figure.add_subplot(grid[number, column]) for column in range(len(titles))]
        _draw_row(axes, row, checkpoint)
        for one, title in zip(axes, titles if number == 0 else (), strict=False):
            one.set_title(title, fontsize=10)
    scale = figure.add_subplot(grid[len(rows), 3])
    figure.colorbar(axes[3].images[0], cax=scale, orientation="horizontal", ticks=[0, 0.5, 1])
    _draw_legend(figure, rows, checkpoint.metadata.classes)
    return figure


def crop_picture(
    crop: NDArray[np.float32], metadata: ModelMetadata, pixel_size: float = 1.0
) -> Picture:
    """A crop as it looked before it was normalised.

    Red, green and blue where these are the first three bands; else elevation as
    a hillshade, or else the first band in grey, stretched from its 2nd to its
    98th percentile.

    Parameters
    ----------
    crop
        ``(band, rows, cols)``, normalised with the model's mean and spread.
    metadata
        The model's.
    pixel_size
        Side of a pixel, in the unit of the elevation.
    """
    names = tuple(name.lower() for name in metadata.bands)
    shape = (-1, 1, 1)
    values = crop * np.reshape(metadata.std, shape) + np.reshape(metadata.mean, shape)
    if names[:3] == COLOR_BANDS:
        return _colors(values[:3], metadata.mean[:3])
    elevation = [k for k, name in enumerate(names) if name in ELEVATION_NAMES]
    if elevation:
        return _gray(_hillshade(values[elevation[0]], pixel_size))
    return _gray(_stretched(values[0]))


def class_picture(
    labels: NDArray[np.integer], valid: NDArray[np.bool_], classes: ClassSchema
) -> Picture:
    """Classes in their colours; white without a class or where not ``valid``."""
    table = np.full((256, 3), 1.0)
    table[: len(classes)] = [_rgb(color) for color in classes.colors]
    found: Picture = table[np.where(valid, labels, IGNORE_INDEX)]
    return found


def _draw_row(axes: Sequence[Axes], row: ShownExample, checkpoint: Checkpoint) -> None:
    metadata, config = checkpoint.metadata, checkpoint.model.config
    (crops, labels), predicted, confidence = row.predicted
    for one in axes:
        one.set_xticks([])
        one.set_yticks([])
    side = metadata.pixel_size if metadata.pixel_size and metadata.unit == "m" else 1.0
    axes[0].imshow(crop_picture(crops.local, metadata, side))
    axes[0].set_ylabel(plain(row.title), fontsize=8)
    axes[1].imshow(class_picture(labels, crops.valid, metadata.classes))
    axes[2].imshow(class_picture(predicted, crops.valid, metadata.classes))
    axes[3].imshow(np.where(crops.valid, confidence, np.nan), cmap="viridis", vmin=0, vmax=1)
    if config.context_factor and crops.global_ is not None:
        wide = crop_picture(crops.global_, metadata, side * config.context_factor)
        axes[4].imshow(wide)
        _outline(axes[4], config)


def _outline(axes: Axes, config: RelayConfig) -> None:
    """Draw where the local crop lies in the global one, seen on dark and on bright."""
    from matplotlib.patches import Rectangle

    side = config.crop_size / (config.context_factor or 1)
    corner = (config.crop_size - side) / 2 - 0.5
    for color, width in (("black", 3.0), ("#f0e442", 1.4)):
        square = Rectangle((corner, corner), side, side, fill=False, edgecolor=color, lw=width)
        axes.add_patch(square)


def _draw_legend(figure: Figure, rows: Sequence[ShownExample], classes: ClassSchema) -> None:
    from matplotlib.patches import Patch

    entries = [(plain(one.name), one.color) for one in classes]
    if any((row.predicted.example.labels == IGNORE_INDEX).any() for row in rows):
        entries.append(("no label", NO_LABEL))
    handles = [Patch(facecolor=c, edgecolor="#777777", label=name) for name, c in entries]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=min(len(handles), 6), frameon=False
    )


def _colors(values: NDArray[np.float64], mean: Sequence[float]) -> Picture:
    """Three bands ``(band, rows, cols)`` as colours."""
    full = 1.0 if max(mean) <= 1 else 255.0
    bands = np.moveaxis(values, 0, -1)
    # Sixteen bits, or reflectances in other units: there is no white to compare with.
    if max(mean) > full or values.max() > 1.01 * full:
        return _stretched(bands)
    return np.clip(bands / full, 0, 1)


def _stretched(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values from their 2nd to their 98th percentile, brought to 0 to 1."""
    low, high = np.percentile(values, (2, 98))
    stretched: NDArray[np.float64] = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    return stretched


def _hillshade(elevation: NDArray[np.float64], pixel_size: float) -> NDArray[np.float64]:
    relief = Hillshade()
    padded = np.pad(elevation, relief.halo, mode="edge").astype(np.float32)
    return relief.compute(padded, Spacing(pixel_size, pixel_size)).astype(np.float64)


def _gray(values: NDArray[np.float64]) -> Picture:
    return np.repeat(values[..., None], 3, axis=-1)


def _rgb(color: str) -> list[float]:
    """``#rrggbb`` as numbers from 0 to 1."""
    return [int(color[k : k + 2], 16) / 255 for k in (1, 3, 5)]
