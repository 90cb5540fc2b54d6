"""Plots of a training run and of scores."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from napari_relay.training.calibration import BINS, Calibration, bin_middles
from napari_relay.training.evaluation import predict_examples
from napari_relay.training.examples import Example
from napari_relay.training.figures import new_figure, plain, save_figure
from napari_relay.training.metrics import Scores
from napari_relay.training.pictures import ShownExample, draw_examples
from napari_relay.training.run_folder import LOG
from relay_tokens import Checkpoint, ClassSchema, UserError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

PLOTS = "plots"
"""Folder of the plots in a run folder."""
SHOWN = 6
"""Examples that are drawn, at most."""
LOSSES = {
    "loss_total": ("total", "#000000"),
    "loss_local": ("local", "#0072b2"),
    "loss_global": ("global", "#d55e00"),
    "loss_consistency": ("consistency", "#009e73"),
}
"""Columns of the log, with their names and colours."""

Column = NDArray[np.float64]
Log = Mapping[str, Column]
"""Columns of ``log.csv`` by name; NaN where a line has no value."""


def write_plots(
    run_folder: Path, checkpoint: Checkpoint, scores: Scores, examples: Sequence[Example]
) -> tuple[Path, ...]:
    """Write ``plots/*.png`` of a training run.

    Parameters
    ----------
    run_folder
        See :mod:`napari_relay.training.run_folder`; its log is drawn.
    checkpoint
        The trained model; it predicts some examples on the device it is on.
    scores
        Its held-out scores.
    examples
        Held-out examples, a few of which are drawn.

    Returns
    -------
    tuple[Path, ...]
        What was written: ``loss.png``, ``miou.png``, ``confusion.png``,
        ``reliability.png`` where the calibration was measured, and
        ``examples.png`` where there are examples.

    Raises
    ------
    UserError
        When matplotlib is missing, or the log has no steps.
    """
    log, folder = read_log(run_folder / LOG), run_folder / PLOTS
    classes = checkpoint.metadata.classes
    figures = {"loss": draw_losses(log), "miou": draw_miou(log)}
    figures["confusion"] = draw_confusion(scores, classes)
    if scores.calibration is not None:
        figures["reliability"] = draw_reliability(scores.calibration)
    if examples:
        figures["examples"] = _draw_some(checkpoint, examples)
    return tuple(save_figure(figure, folder / f"{name}.png") for name, figure in figures.items())


def read_log(path: Path) -> Log:
    """Read a run's ``log.csv``.

    Raises
    ------
    UserError
        When it is missing or has no steps.
    """
    rows: list[dict[str, str]] = []
    if path.exists():
        with path.open(newline="", encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
    if not rows or "step" not in rows[0]:
        raise UserError(f"{path} has no steps to draw; name the folder of a training run.")
    return {name: np.array([_number(row.get(name)) for row in rows]) for name in rows[0] if name}


def draw_losses(log: Log) -> Figure:
    """Draw each loss of every step faintly, and its running mean."""
    figure = new_figure(7, 4)
    axes = figure.add_subplot(xlabel="step", ylabel="loss (log scale)", title="Training loss")
    axes.set_yscale("log", nonpositive="mask")
    lowest: list[float] = []
    for column, (name, color) in LOSSES.items():
        values = log.get(column)
        if values is not None and (values > 0).any():
            mean = running_mean(values)
            lowest.append(float(np.nanmin(mean[mean > 0])))
            axes.plot(log["step"], values, color=color, alpha=0.2, linewidth=0.8)
            axes.plot(log["step"], mean, color=color, label=name)
    if lowest:
        # Single steps near 0 would press all else together.
        axes.set_ylim(bottom=min(lowest) / 3)
    _finish(axes)
    return figure


def draw_miou(log: Log) -> Figure:
    """Draw the held-out mIoU and the learning rate over the steps."""
    figure = new_figure(7, 4)
    axes = figure.add_subplot(xlabel="step", ylabel="held-out mIoU", title="Held-out mIoU")
    measured = np.isfinite(log["miou"])
    steps, miou = log["step"][measured], log["miou"][measured]
    axes.plot(steps, miou, "o-", color="#0072b2", markersize=4, label="mIoU")
    if len(miou):
        best = int(miou.argmax())
        label = f"best: {miou[best]:.3f} at step {steps[best]:.0f}"
        axes.plot(steps[best], miou[best], "*", color="#d55e00", markersize=13, label=label)
    axes.set_ylim(0, 1)
    rate = axes.twinx()
    rate.plot(log["step"], log["learning_rate"], color="#777777", linewidth=1)
    rate.set_ylabel("learning rate", color="#777777")
    rate.set_ylim(bottom=0)
    _finish(axes)
    return figure


def draw_confusion(scores: Scores, classes: ClassSchema) -> Figure:
    """Draw the confusion matrix; each row, a labelled class, adds up to 1."""
    names = [plain(name) for name in classes.names]
    side = max(2.4 + 0.55 * len(names), 4.2)
    figure = new_figure(side + 0.4, side)
    axes = figure.add_subplot(xlabel="predicted", ylabel="labelled")
    axes.set_title("Share of each labelled class")
    drawn = axes.imshow(share := row_shares(scores.confusion), cmap=_blues(), vmin=0, vmax=1)
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), names)
    for (row, col), value in np.ndenumerate(share):
        if np.isfinite(value):
            color = "white" if value > 0.5 else "black"
            axes.text(col, row, f"{value:.2f}", ha="center", va="center", color=color, fontsize=8)
    figure.colorbar(drawn, ax=axes, shrink=0.8)
    return figure


def row_shares(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Each row of a confusion matrix over its sum; NaN for a class without a label."""
    total = np.broadcast_to(confusion.sum(axis=1, keepdims=True), confusion.shape)
    empty = np.full(confusion.shape, np.nan)
    shares: NDArray[np.float64] = np.divide(confusion, total, out=empty, where=total > 0)
    return shares


def draw_reliability(calibration: Calibration) -> Figure:
    """Draw accuracy against confidence, and how many pixels have which confidence."""
    figure = new_figure(4.8, 5.6)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    middles, width = bin_middles(), 1 / BINS
    upper.bar(middles, calibration.accuracy, width, color="#0072b2", edgecolor="white")
    upper.plot([0, 1], [0, 1], "--", color="#777777", label="perfectly calibrated")
    mean, right = calibration.confidence, calibration.accuracy
    upper.plot(mean, right, "o", color="#d55e00", markersize=4, label="mean of a bin")
    upper.set(ylabel="accuracy", xlim=(0, 1), ylim=(0, 1.02))
    upper.set_title(f"Expected calibration error {calibration.error:.3f}")
    upper.legend(loc="upper left", frameon=False)
    share = calibration.pixels / max(calibration.pixels.sum(), 1)
    lower.bar(middles, share, width, color="#999999", edgecolor="white")
    # Most pixels are near 1; the others are what the picture is about.
    lower.set_yscale("log", nonpositive="clip")
    lower.set(xlabel="confidence", ylabel="share of pixels\n(log scale)", ylim=(1e-5, 1.5))
    return figure


def running_mean(values: Column) -> Column:
    """Mean over the values around each one, a fiftieth of all; NaN left out."""
    reach = len(values) // 100
    known = np.isfinite(values)
    total = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0))])
    count = np.concatenate([[0], np.cumsum(known)])
    first = np.maximum(np.arange(len(values)) - reach, 0)
    last = np.minimum(np.arange(len(values)) + reach + 1, len(values))
    found = count[last] - count[first]
    empty = np.full(len(values), np.nan)
    mean: Column = np.divide(total[last] - total[first], found, out=empty, where=found > 0)
    return mean


def _draw_some(checkpoint: Checkpoint, examples: Sequence[Example]) -> Figure:
    """Draw examples spread over all that there are."""
    count = min(SHOWN, len(examples))
    chosen = [examples[i] for i in np.linspace(0, len(examples) - 1, count).round().astype(int)]
    shown = [
        ShownExample("", predicted)
        for one in chosen
        for predicted in predict_examples(checkpoint.model, [one])
    ]
    return draw_examples(shown, checkpoint)


def _finish(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False)


def _blues() -> Colormap:
    from matplotlib import colormaps

    return colormaps["Blues"].with_extremes(bad="#eeeeee")


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
