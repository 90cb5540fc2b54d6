"""The picture of what the benchmark of context found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from benchmarks.context_summary import Findings, Summary
from napari_relay.training.figures import new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PLAIN, RELAY, POINT = "#9fb6c8", "#d55e00", "#222222"


def draw_findings(findings: Findings) -> Figure:
    """Draw a bar of mIoU a model, a point a seed; ablations in a panel of their own."""
    figure = new_figure(9, 4.2)
    left, right = figure.subplots(1, 2, sharex=True)
    relay = {k: v for k, v in findings.models.items() if k == "relay"}
    others = {k: v for k, v in findings.models.items() if k != "relay"}
    by_mean = dict(sorted(others.items(), key=lambda item: item[1].mean))
    _draw_bars(left, {**by_mean, **relay}, "Models")
    unchanged = {"relay": findings.unchanged} if findings.unchanged else {}
    _draw_bars(right, {**findings.ablations, **unchanged}, "Relay tokens, one thing changed")
    left.set_xlim(0, 1)
    return figure


def _draw_bars(axes: Axes, models: Mapping[str, Summary], title: str) -> None:
    """Bars from below to above, the mean written beside each."""
    for row, (name, model) in enumerate(models.items()):
        axes.barh(row, model.mean, color=RELAY if name == "relay" else PLAIN)
        values = list(model.miou.values())
        axes.plot(values, [row] * len(values), "o", color=POINT, markersize=3)
        axes.text(max(values) + 0.015, row, f"{model.mean:.3f}", va="center", fontsize=8)
    axes.set_yticks(range(len(models)), [model.label for model in models.values()])
    axes.set(title=title, xlabel="mIoU on the test land (points: seeds)")
    axes.spines[["top", "right"]].set_visible(False)
