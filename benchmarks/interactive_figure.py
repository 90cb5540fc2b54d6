"""The picture of what the benchmark of correcting found."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.interactive_domain import DOMAINS
from benchmarks.interactive_summary import Summary, ends, summaries
from napari_relay.training.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = {
    "default": "#d55e00",
    "naive": "#999999",
    "forest": "#009e73",
    "head": "#56b4e9",
    "adapters": "#0072b2",
    "all": "#cc79a7",
    "queue": "#e69f00",
    "random": "#222222",
}
"""Of each method."""


def draw_findings(document: Mapping[str, Any]) -> Figure:
    """Draw mIoU of the remainder against corrections and seconds, a row a domain."""
    every = {domain: summaries(document, domain) for domain in DOMAINS}
    shown = {domain: found for domain, found in every.items() if found}
    figure = new_figure(10, 3.8 * max(len(shown), 1))
    panels = figure.subplots(max(len(shown), 1), 2, squeeze=False)
    for row, (domain, found) in zip(panels, shown.items(), strict=False):
        for axes, against in zip(row, ("corrections", "seconds"), strict=True):
            for summary in found.values():
                _draw(axes, summary, against)
            _draw_ends(axes, next(iter(found.values())))
            axes.set(xlabel=_AXES[against], ylabel="mIoU of the remainder", title=domain)
            axes.spines[["top", "right"]].set_visible(False)
        row[1].legend(fontsize=7, frameon=False, loc="lower right")
    return figure


_AXES = {"corrections": "corrections", "seconds": "seconds of one thread"}


def _draw(axes: Axes, summary: Summary, against: str) -> None:
    """A line of means over the seeds, and a faint one for each seed."""
    color = COLORS[summary.name]
    along = [getattr(course, against) for course in summary.courses]
    for course, places in zip(summary.courses, along, strict=True):
        axes.plot(places, course.miou, color=color, alpha=0.25, linewidth=0.8)
    means = _means([course.miou for course in summary.courses])
    axes.plot(_means(along), means, "o-", color=color, markersize=3, label=summary.label)


def _draw_ends(axes: Axes, summary: Summary) -> None:
    for value, name in zip(ends(summary), ("shipped", "trained on the domain"), strict=True):
        axes.axhline(value, color="#bbbbbb", linestyle=":", linewidth=1)
        axes.annotate(name, (0, value), fontsize=7, color="#777777", va="bottom")


def _means(rows: Sequence[Sequence[float]]) -> list[float]:
    return [statistics.mean(values) for values in zip(*rows, strict=True)]
