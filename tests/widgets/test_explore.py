"""The legend: how much there is of each class, and its colours."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.viewer import Viewer
from qtpy.QtCore import Qt
from qtpy.QtGui import QColor
from qtpy.QtWidgets import QColorDialog

from napari_relay.images import open_image
from napari_relay.inference import PredictionStore
from napari_relay.session import Session
from napari_relay.widgets.panel import RelayPanel
from relay_tokens import load_model

Wait = Callable[[Callable[[], bool]], None]
GREEN = "#00ff7f"


@pytest.fixture
def predicted(ready: RelayPanel, wait_for: Wait) -> RelayPanel:
    ready.controller.predict_all()
    wait_for(lambda: not ready.controller.jobs.running)
    wait_for(lambda: not ready.explore.legend.counting)
    return ready


@pytest.fixture
def chosen_green(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who chooses green in the colour dialog, which a test cannot click."""
    monkeypatch.setattr(QColorDialog, "getColor", lambda *_: QColor(GREEN))


def _shown_color(panel: RelayPanel, label: int) -> str:
    layers = panel.controller.current
    assert layers is not None
    assert layers.prediction is not None
    red, green, blue = (round(255 * v) for v in layers.prediction.colormap.color_dict[label][:3])
    return f"#{red:02x}{green:02x}{blue:02x}"


def test_the_legend_has_the_true_area_of_every_class(predicted: RelayPanel) -> None:
    session = predicted.controller.session
    assert session is not None
    assert session.store is not None
    labels = session.store.read_labels(session.image.window)
    truth = np.bincount(labels.ravel(), minlength=3)[:3]
    legend = predicted.explore.legend
    assert [a.text() for a in legend.areas] == [f"{_three(n / 4)} µm²" for n in truth]
    assert [s.text() for s in legend.shares] == [f"{n / truth.sum():.1%}" for n in truth]


def _three(value: float) -> str:
    return f"{value:_.0f}".replace("_", "\u2009") if value >= 100 else f"{value:.3g}"


def test_the_legend_grows_while_tiles_arrive(ready: RelayPanel, wait_for: Wait) -> None:
    legend = ready.explore.legend
    assert [a.text() for a in legend.areas] == ["–"] * 3
    ready.controller.predict_all()
    wait_for(lambda: ready.controller.jobs.running)
    wait_for(lambda: legend.shares[0].text() != "–")


def test_a_class_shown_in_another_colour_has_it_everywhere_and_next_time(
    predicted: RelayPanel, chosen_green: None, qtbot, model: Path, picture: Path
) -> None:
    qtbot.mouseClick(predicted.explore.legend.swatches[1], Qt.MouseButton.LeftButton)
    layers, session = predicted.controller.current, predicted.controller.session
    assert layers is not None
    assert layers.corrections is not None
    assert session is not None
    assert session.store is not None
    assert _shown_color(predicted, 1) == GREEN
    assert QColor.fromRgbF(*map(float, layers.corrections.colormap.color_dict[2])).name() == GREEN
    assert PredictionStore.open(session.store.folder).classes.colors[1] == GREEN
    later = Session(open_image(picture))
    later.use_model(load_model(model))
    assert later.classes is not None
    assert later.classes.colors[1] == GREEN
    later.close()


def test_the_models_colours_come_back(
    predicted: RelayPanel, chosen_green: None, qtbot, viewer: Viewer
) -> None:
    explore, own = predicted.explore, _shown_color(predicted, 1)
    assert not explore.reset_colors.isVisibleTo(explore)
    qtbot.mouseClick(explore.legend.swatches[1], Qt.MouseButton.LeftButton)
    qtbot.mouseClick(explore.reset_colors, Qt.MouseButton.LeftButton)
    assert _shown_color(predicted, 1) == own
    assert not explore.reset_colors.isVisibleTo(explore)


def test_opacity_and_outlines_change_the_mask_alone(predicted: RelayPanel, qtbot) -> None:
    layers = predicted.controller.current
    assert layers is not None
    assert layers.prediction is not None
    predicted.explore.opacity.setValue(80)
    predicted.explore.outlines.setChecked(True)
    assert (layers.prediction.opacity, layers.prediction.contour) == (0.8, 2)
    assert layers.base.opacity == 1
