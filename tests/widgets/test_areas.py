"""Predicting inside a drawn area, and going on with what was stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt

from napari_relay.widgets.panel import RelayPanel
from tests.colors import write_picture

Wait = Callable[[Callable[[], bool]], None]


def _click(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def _predict_area(panel: RelayPanel, qtbot, wait_for: Wait) -> np.ndarray:
    _click(qtbot, panel.prediction.predict_area)
    wait_for(lambda: not panel.controller.jobs.running)
    session = panel.controller.session
    assert session is not None
    assert session.store is not None
    return session.store.finished


def _draw(panel: RelayPanel, qtbot, corners: np.ndarray, kind: str = "polygon") -> None:
    """Press the button, and draw as napari's tools do when the corners were clicked."""
    _click(qtbot, panel.prediction.draw_area)
    layers = panel.controller.current
    assert layers is not None
    layer = layers.areas.layer
    assert layer is not None
    assert str(layer.mode) == "add_polygon"
    assert panel.controller.viewer.layers.selection.active is layer
    layer.add(corners, shape_type=kind)


def test_only_the_tiles_of_a_drawn_area_are_predicted(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    triangle = np.array([[0.0, 0], [0, 90], [70, 0]])
    _draw(ready, qtbot, triangle)
    finished = _predict_area(ready, qtbot, wait_for)
    session, layers = ready.controller.session, ready.controller.current
    assert session is not None
    assert session.store is not None
    assert layers is not None
    assert layers.areas.layer is not None
    assert str(layers.areas.layer.mode) == "pan_zoom"
    expected = np.zeros_like(finished)
    for tile in session.store.grid.tiles_in_polygon(triangle):
        expected[tile] = True
    assert 0 < expected.sum() < expected.size
    assert finished.tolist() == expected.tolist()


def test_an_ellipse_is_the_ellipse_and_not_its_box(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    box = np.array([[0.0, 0], [0, 199], [159, 199], [159, 0]])
    _draw(ready, qtbot, box, "ellipse")
    layers = ready.controller.current
    assert layers is not None
    (outline,) = layers.areas.areas
    distance = ((outline - (79.5, 99.5)) / (79.5, 99.5)) ** 2
    assert distance.sum(axis=1) == pytest.approx(1)


def test_without_an_area_one_sentence_says_how_to_draw_one(ready: RelayPanel, qtbot) -> None:
    said = []
    notification_manager.notification_ready.connect(said.append)
    _click(qtbot, ready.prediction.predict_area)
    assert "Draw area" in said[0].message
    assert not ready.controller.jobs.running


def test_a_deleted_area_layer_is_made_anew(ready: RelayPanel, qtbot) -> None:
    layers = ready.controller.current
    assert layers is not None
    _click(qtbot, ready.prediction.draw_area)
    first = layers.areas.layer
    assert first is not None
    ready.controller.viewer.layers.remove(first)
    assert layers.areas.areas == []
    _click(qtbot, ready.prediction.draw_area)
    assert layers.areas.layer is not None
    assert layers.areas.layer is not first


def test_the_area_goes_with_its_image(ready: RelayPanel, qtbot, wait_for: Wait) -> None:
    layers, viewer = ready.controller.current, ready.controller.viewer
    assert layers is not None
    _click(qtbot, ready.prediction.draw_area)
    viewer.layers.remove(layers.base)
    wait_for(lambda: not viewer.layers)


def test_a_stopped_prediction_is_resumed_where_it_was(
    panel: RelayPanel, qtbot, wait_for: Wait, tmp_path: Path, model: Path
) -> None:
    controller, section = panel.controller, panel.prediction
    controller.open(write_picture(tmp_path / "large.tif", 900, 1200))
    wait_for(lambda: controller.session is not None)
    assert controller.use_model(model)
    assert not section.resume.isEnabled()
    section.skip_glass.setChecked(False)
    qtbot.wait(200)  # a person sees the buttons first
    first = []
    controller.predicted.connect(first.append)
    _click(qtbot, section.predict_all)
    wait_for(lambda: bool(first))
    _click(qtbot, section.cancel)
    wait_for(lambda: not controller.jobs.running)
    session = controller.session
    assert session is not None
    assert session.store is not None
    assert 0 < session.store.finished.sum() < session.store.finished.size
    _click(qtbot, section.resume)
    wait_for(lambda: not controller.jobs.running)
    assert session.store.finished.all()
    assert not section.resume.isEnabled()
