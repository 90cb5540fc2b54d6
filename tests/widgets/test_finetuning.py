"""What a person does with new weights: look, accept, compare, delete."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt
from qtpy.QtWidgets import QApplication, QMessageBox, QPushButton

from napari_relay.geometry import Window
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.predicted_areas import predicted_areas
from napari_relay.widgets.version_swipe import Border, SwipedLevel

Wait = Callable[[Callable[[], bool]], None]
WHOLE = Window(0, 0, 160, 200)


@pytest.fixture
def corrected(ready: RelayPanel, wait_for: Wait) -> RelayPanel:
    """A panel with a prediction and corrections of every class."""
    controller = ready.controller
    controller.predict_all()
    wait_for(lambda: not controller.jobs.running)
    for index, x0 in enumerate((10, 80, 150)):
        controller.session.corrections.write(
            Window(20, x0, 120, 30), np.full((120, 30), index, np.uint8)
        )
    return ready


def click(qtbot: QtBot, button: QPushButton) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def fine_tune(panel: RelayPanel, qtbot: QtBot, wait_for: Wait, steps: int = 12) -> None:
    panel.finetuning.steps.value = steps
    click(qtbot, panel.finetuning.start)
    finetuner = panel.controller.finetuner
    wait_for(lambda: finetuner.offer is not None and not finetuner.jobs.running)


def test_an_offer_is_looked_at_accepted_swiped_and_deleted(
    corrected: RelayPanel, qtbot: QtBot, wait_for: Wait
) -> None:
    panel, controller, session = corrected, corrected.controller, corrected.controller.session
    section, before = panel.finetuning, session.store.read_labels(WHOLE).copy()
    fine_tune(panel, qtbot, wait_for)
    assert section.offer.isVisibleTo(section)
    assert any(text.startswith("corrections") for text in section.offer.texts())
    assert session.version.number == 0

    click(qtbot, section.offer.show_changes)
    wait_for(lambda: "of the view changes" in section.offer.changed.text())
    wait_for(lambda: not section.changes.jobs.running)
    shown = section.changes.overlay.layer
    assert shown in controller.viewer.layers

    click(qtbot, section.offer.accept)
    wait_for(lambda: not controller.jobs.running)
    assert session.version.number == 1
    assert session.store.finished.all()  # all of it was predicted before
    assert not section.offer.isVisibleTo(section)
    assert shown not in controller.viewer.layers
    item = section.versions.list.topLevelItem(1)
    assert [item.text(0), item.text(1)] == ["1", "as loaded"]

    layer, after = controller.current.prediction, session.store.read_labels(WHOLE)
    section.versions.swipe.setValue(100)
    middle = round(controller.view.x0 + controller.view.width / 2)
    swiped = np.asarray(layer.data[0][0:160, 0:200])
    assert np.array_equal(swiped[:, :middle], before[:, :middle])
    assert np.array_equal(swiped[:, middle:], after[:, middle:])
    line = controller.viewer.layers["Before | now"]
    assert [ends[:, 1].tolist() for ends in line.data] == [[middle - 0.5] * 2] * 2
    thin = line.edge_width[1] * controller.viewer.scene.camera.zoom
    controller.viewer.scene.camera.zoom *= 3
    assert line.edge_width[1] * controller.viewer.scene.camera.zoom == pytest.approx(thin)
    assert controller.current.prediction is layer
    section.versions.swipe.setValue(0)
    assert np.array_equal(np.asarray(layer.data[0][0:160, 0:200]), after)
    wait_for(lambda: line not in controller.viewer.layers)

    section.versions.select(0)
    click(qtbot, section.versions.use)
    wait_for(lambda: not controller.jobs.running)
    assert session.version.number == 0
    section.versions.select(1)
    click(qtbot, section.versions.delete)
    question = QApplication.activeModalWidget() or section.versions.findChild(QMessageBox)
    (delete,) = [b for b in question.buttons() if b.text() == "Delete"]
    click(qtbot, delete)
    wait_for(lambda: [v.number for v in session.versions()] == [0])


def test_rejected_weights_are_gone_and_a_retraining_begins_at_the_base(
    corrected: RelayPanel, qtbot: QtBot, wait_for: Wait
) -> None:
    controller, session = corrected.controller, corrected.controller.session
    section = corrected.finetuning
    fine_tune(corrected, qtbot, wait_for, 5)
    click(qtbot, section.offer.reject)
    assert controller.finetuner.offer is None
    assert [v.number for v in session.versions()] == [0]
    fine_tune(corrected, qtbot, wait_for, 5)
    click(qtbot, section.offer.accept)
    wait_for(lambda: not controller.jobs.running)
    click(qtbot, section.restart)
    wait_for(lambda: controller.finetuner.offer is not None)
    wait_for(lambda: not controller.finetuner.jobs.running)
    click(qtbot, section.offer.accept)
    wait_for(lambda: not controller.jobs.running)
    assert session.version.number == 2
    assert session.parent().number == 0


@pytest.mark.parametrize("factor", [1.0, 2.0, 4.0])
def test_the_border_of_a_swipe_lies_at_the_same_place_in_every_level(factor: float) -> None:
    side, border = int(64 / factor), Border(24)
    old, new = np.zeros((side, side), np.uint8), np.ones((side, side), np.uint8)
    level = SwipedLevel(old, new, factor, border)
    read = level[0:side, int(8 / factor) : side]
    assert read.shape == (side, side - int(8 / factor))
    assert (read == 0).sum(axis=1).tolist() == [int(16 / factor)] * side
    border.column = -5
    assert (level[0:side, 0:side] == 1).all()
    border.column = 1000
    assert (level[0:side, 0:side] == 0).all()


def test_windows_around_finished_tiles_cover_them_and_nothing_else() -> None:
    class Grid:
        def tile(self, row: int, col: int) -> Window:
            return Window(row * 10, col * 10, 10, 10)

    class Store:
        grid = Grid()
        finished = np.random.default_rng(0).random((9, 12)) < 0.6

    covered = np.zeros((90, 120), int)
    for window in predicted_areas(Store()):  # type: ignore[arg-type]
        covered[window.slices] += 1
    assert np.array_equal(covered, Store.finished.repeat(10, 0).repeat(10, 1))
