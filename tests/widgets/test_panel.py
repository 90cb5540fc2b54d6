"""The Relay panel, used as a person uses it: buttons, boxes, brush, in a real viewer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer
from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QWheelEvent
from qtpy.QtWidgets import QApplication

from napari_relay.geometry import Window
from napari_relay.images import open_image
from napari_relay.widgets.image_layer import image_layer_data
from napari_relay.widgets.panel import RelayPanel
from tests.colors import write_picture

Wait = Callable[[Callable[[], bool]], None]


def _click(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def _predict_all(panel: RelayPanel, qtbot, wait_for: Wait) -> None:
    _click(qtbot, panel.prediction.predict_all)
    wait_for(lambda: not panel.controller.jobs.running)


def test_an_empty_panel_says_what_to_do_and_offers_nothing_that_cannot_work(
    panel: RelayPanel,
) -> None:
    assert "No image is open" in panel.image.facts.text()
    later = (panel.model, panel.prediction, panel.explore, panel.attention, panel.correction)
    assert not any(section.isEnabled() for section in later)
    assert not panel.finetuning.isEnabled()
    assert not panel.export.isEnabled()


def test_an_opened_image_is_described_and_measured_in_its_unit(
    panel: RelayPanel, picture: Path, wait_for: Wait, viewer: Viewer
) -> None:
    panel.controller.open(picture)
    wait_for(lambda: panel.controller.session is not None)
    assert "0.5 µm a pixel" in panel.image.facts.text()
    assert "red, green, blue" in panel.image.facts.text()
    assert viewer.layers[0].units == ("micrometer", "micrometer")
    assert viewer.canvas.overlays.scale_bar.visible


def test_an_image_that_napari_opened_through_the_reader_is_taken_up(
    panel: RelayPanel, picture: Path, viewer: Viewer
) -> None:
    data, arguments, _ = image_layer_data(open_image(picture))
    viewer.add_image(data, **arguments)
    assert panel.controller.session is not None


def test_a_file_that_is_no_image_is_one_sentence(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    (tmp_path / "notes.tif").write_text("no image")
    said = []
    notification_manager.notification_ready.connect(said.append)
    panel.controller.open(tmp_path / "notes.tif")
    wait_for(lambda: bool(said))
    wait_for(lambda: not panel.controller.jobs.running)
    assert "notes.tif" in said[0].message
    assert "Traceback" not in said[0].message


def test_choosing_a_model_fills_the_legend_and_adds_the_layers(ready: RelayPanel) -> None:
    names = [layer.name for layer in ready.controller.viewer.layers]
    assert names == ["picture", "Prediction", "Corrections"]
    assert "dark, light, red" in ready.model.card.text()
    assert ready.model.choice.currentText() == "colors"


def test_a_model_for_other_bands_is_refused_in_one_sentence(
    panel: RelayPanel, tmp_path: Path, model: Path, wait_for: Wait
) -> None:
    import tifffile

    tifffile.imwrite(tmp_path / "grey.tif", np.zeros((80, 80), np.uint8))
    panel.controller.open(tmp_path / "grey.tif")
    wait_for(lambda: panel.controller.session is not None)
    said = []
    notification_manager.notification_ready.connect(said.append)
    assert not panel.controller.use_model(model)
    assert "band" in said[0].message


def test_predicting_fills_the_mask_and_the_legend(ready: RelayPanel, qtbot, wait_for: Wait) -> None:
    _predict_all(ready, qtbot, wait_for)
    layers = ready.controller.current
    assert layers is not None
    assert layers.prediction is not None
    shown = np.asarray(layers.prediction.data[0])[:160, :200]
    assert set(np.unique(shown)) <= {0, 1, 2}
    assert ready.prediction.status.text().startswith("Predicted 35 tiles in")
    wait_for(lambda: all("%" in label.text() for label in ready.explore.legend.shares))


def test_what_arrives_is_drawn_without_anybody_asking(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    layers = ready.controller.current
    assert layers is not None
    assert layers.prediction is not None
    before = ready.controller.viewer.screenshot(flash=False)
    _predict_all(ready, qtbot, wait_for)
    after = ready.controller.viewer.screenshot(flash=False)
    rows = min(len(before), len(after))  # a line of text may grow above the canvas meanwhile
    assert (before[:rows] != after[:rows]).any(axis=-1).mean() > 0.05


def test_cancel_keeps_what_is_done_and_predicting_again_does_the_rest(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    session = ready.controller.session
    assert session is not None
    assert session.store is not None
    arrived = []
    ready.controller.predicted.connect(arrived.append)
    _click(qtbot, ready.prediction.predict_all)
    wait_for(lambda: bool(arrived))
    _click(qtbot, ready.prediction.cancel)
    wait_for(lambda: not ready.controller.jobs.running)
    kept = int(session.store.finished.sum())
    assert kept >= len(arrived) >= 1
    arrived.clear()
    _predict_all(ready, qtbot, wait_for)
    assert session.store.finished.all()
    assert len(arrived) == session.store.finished.size - kept


def test_predict_view_predicts_what_is_on_screen_only(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    session, viewer = ready.controller.session, ready.controller.viewer
    assert session is not None
    assert session.store is not None
    viewer.scene.camera.center = (0.0, 0.0)
    viewer.scene.camera.zoom *= 8
    qtbot.wait(200)
    _click(qtbot, ready.prediction.predict_view)
    wait_for(lambda: not ready.controller.jobs.running)
    assert session.store.finished[0, 0]
    assert not session.store.finished[-1, -1]


def test_every_score_and_the_outlines_are_a_click_away(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    _predict_all(ready, qtbot, wait_for)
    layers, choice = ready.controller.current, ready.explore.score
    assert layers is not None
    for name, title in [
        ("confidence", "Confidence"),
        ("entropy", "Entropy"),
        ("disagreement", "Scale disagreement"),
    ]:
        choice.setCurrentIndex(choice.findData(name))
        assert layers.score is not None
        assert layers.score.visible
        assert layers.score.name == title
        assert layers.shown_score == name
        assert np.asarray(layers.score.data[0])[:160, :200].min() > 0
    choice.setCurrentIndex(0)
    assert not layers.score.visible
    ready.explore.outlines.setChecked(True)
    assert layers.prediction.contour > 0


def test_a_score_that_the_person_deletes_is_made_anew(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    _predict_all(ready, qtbot, wait_for)
    layers, choice = ready.controller.current, ready.explore.score
    choice.setCurrentIndex(choice.findData("entropy"))
    ready.controller.viewer.layers.remove(layers.score)
    assert layers.shown_score is None
    choice.setCurrentIndex(choice.findData("confidence"))
    assert layers.shown_score == "confidence"


def test_the_wheel_scrolls_the_panel_and_changes_no_field_under_it(
    ready: RelayPanel, qtbot
) -> None:
    field = ready.attention.branch.native
    wheel = QWheelEvent(
        QPointF(5, 5),
        QPointF(field.mapToGlobal(QPoint(5, 5))),
        QPoint(),
        QPoint(0, -120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    before = ready.attention.branch.value
    QApplication.sendEvent(field, wheel)
    assert ready.attention.branch.value == before


def test_a_class_button_takes_the_brush_in_hand(ready: RelayPanel, qtbot) -> None:
    _click(qtbot, ready.correction.classes.button(2))
    layers = ready.controller.current
    assert layers is not None
    assert layers.corrections is not None
    assert str(layers.corrections.mode) == "paint"
    assert layers.corrections.selected_label == 3
    assert ready.controller.viewer.layers.selection.active is layers.corrections


def test_a_stroke_is_on_disk_without_saving(ready: RelayPanel, qtbot, wait_for: Wait) -> None:
    session, layers = ready.controller.session, ready.controller.current
    assert session is not None
    assert layers is not None
    _click(qtbot, ready.correction.classes.button(1))
    layers.corrections.paint((80, 100), 2)
    assert session.corrections.read(Window(80, 100, 1, 1)) == 1
    wait_for(lambda: not session.corrections.dirty)
    _click(qtbot, ready.correction.undo)
    assert session.corrections.read(Window(80, 100, 1, 1)) == 255


def test_finetuning_changes_the_view_and_undo_brings_it_back(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    controller, session, section = ready.controller, ready.controller.session, ready.finetuning
    assert session is not None
    _predict_all(ready, qtbot, wait_for)
    before = session.store.read_labels(Window(0, 0, 160, 200)).copy()
    for index, x0 in enumerate((10, 80, 150)):
        session.corrections.write(Window(20, x0, 120, 30), np.full((120, 30), index, np.uint8))
    section.steps.value = 15
    _click(qtbot, section.start)
    wait_for(lambda: controller.finetuner.offer is not None)
    wait_for(lambda: not controller.finetuner.jobs.running)
    assert len(section.curve.values) == 15
    assert session.version.number == 0
    _click(qtbot, section.offer.accept)
    wait_for(lambda: not controller.jobs.running)
    assert session.version.number == 1
    after = session.store.read_labels(Window(0, 0, 160, 200))
    assert (after != before).mean() > 0.1
    _click(qtbot, section.undo)
    wait_for(lambda: not controller.jobs.running)
    assert session.version.number == 0
    assert np.array_equal(session.store.read_labels(Window(0, 0, 160, 200)), before)


def test_finetuning_without_corrections_says_what_to_do(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    said = []
    notification_manager.notification_ready.connect(said.append)
    _click(qtbot, ready.finetuning.start)
    wait_for(lambda: bool(said))
    wait_for(lambda: not ready.controller.finetuner.jobs.running)
    assert "Nothing is corrected yet" in said[0].message


def test_deleted_layers_do_no_harm_and_come_back_when_asked_for(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    viewer, layers = ready.controller.viewer, ready.controller.current
    assert layers is not None
    viewer.layers.remove(layers.prediction)
    viewer.layers.remove(layers.corrections)
    _predict_all(ready, qtbot, wait_for)
    assert layers.prediction in viewer.layers
    _click(qtbot, ready.correction.classes.button(0))
    assert layers.corrections in viewer.layers


def test_closing_the_image_while_it_is_predicted_is_clean(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    arrived = []
    ready.controller.predicted.connect(arrived.append)
    _click(qtbot, ready.prediction.predict_all)
    wait_for(lambda: bool(arrived))
    ready.controller.viewer.layers.remove("picture")
    wait_for(lambda: not ready.controller.jobs.running)
    assert len(ready.controller.viewer.layers) == 0
    assert ready.controller.session is None
    assert "No image is open" in ready.image.facts.text()


def test_two_images_keep_their_own_models_and_layers(
    ready: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    first = ready.controller.current
    ready.controller.open(write_picture(tmp_path / "second.tif", rows=100))
    wait_for(lambda: len(ready.controller.layers) == 2)
    assert ready.controller.current is not first
    assert ready.model.choice.currentText() == "Choose a model…"
    ready.controller.viewer.layers.selection.active = first.prediction
    assert ready.controller.current is first
    assert ready.model.choice.currentText() == "colors"
