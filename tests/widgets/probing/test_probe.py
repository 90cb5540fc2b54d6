"""Probing places as a person does: a button, clicks on the canvas, keys."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from qtpy.QtCore import Qt

from napari_relay.exploring import Place
from napari_relay.widgets.panel import RelayPanel
from relay_tokens import save_checkpoint
from tests.colors import untrained, write_picture
from tests.widgets.probing.hand import Hand


def test_without_a_model_there_is_nothing_to_probe(panel: RelayPanel) -> None:
    assert not panel.probe.isEnabled()
    assert not panel.probe.status.text()


def test_a_click_shows_what_the_model_says_there_and_where_from(hand: Hand) -> None:
    section = hand.panel.probe
    hand.probe(70, 90)
    probe, flow = hand.prober.probe, hand.prober.layers.flow
    assert abs(probe.place.row - 70) <= 1
    assert abs(probe.place.col - 90) <= 1
    assert [bar.name for bar in section.classes.bars] == ["dark", "light", "red"]
    assert sum(bar.length for bar in section.classes.bars) == pytest.approx(1)
    assert len(section.tokens.bars) == 4
    assert 0 < section.tokens.mark <= 1
    assert f"An estimated {probe.share:.0%}" in section.share.text()
    assert section.status.text().startswith(f"Row {probe.place.row}, column {probe.place.col}: ")
    assert hand.names[-3:] == ["Context flow", "Probe", "Corrections"]
    alpha = flow.colormap.map(np.array([0.0, 1.0]))[:, 3]
    assert alpha[0] == 0  # what gave less than the mean is transparent
    assert alpha[1] > 0.8
    assert flow.contrast_limits[0] == pytest.approx(flow.data.mean())


def test_windows_and_flow_lie_exactly_where_the_model_read_at_every_zoom(hand: Hand) -> None:
    hand.probe(70, 90)
    probe, layers, camera = hand.prober.probe, hand.prober.layers, hand.viewer.scene.camera
    assert hand.rectangles == sorted([probe.local, probe.global_])
    # Cells of 32 px of 0.5 µm; pixel centres are whole numbers.
    assert tuple(layers.flow.scale) == (16.0, 16.0)
    first = [(edge + 15.5) * 0.5 for edge in probe.global_[:2]]
    assert tuple(layers.flow.translate) == tuple(first)
    assert layers.flow.data.shape == (4, 4)
    assert tuple(layers.windows.scale) == (0.5, 0.5)
    before = np.array(layers.windows.edge_width) * camera.zoom
    camera.zoom *= 7
    hand.wait_for(lambda: np.allclose(np.array(layers.windows.edge_width) * camera.zoom, before))


def test_nothing_but_a_click_on_the_image_with_the_probe_in_hand_probes(
    empty_hand: Hand, qtbot
) -> None:
    hand = empty_hand
    hand.click(70, 90)
    assert not hand.prober.probing
    hand.press(hand.panel.probe.toggle)
    before = hand.viewer.scene.camera.center
    hand.drag((70, 90), (100, 140))
    hand.wait_for(lambda: hand.viewer.scene.camera.center != before)
    assert not hand.prober.probing
    hand.viewer.scene.camera.zoom /= 4
    hand.click(-60, -60)
    assert "outside the image" in hand.panel.probe.status.text()
    assert not hand.prober.probing
    qtbot.wait(100)
    assert hand.prober.probe is None


def test_a_key_takes_the_probe_and_escape_puts_it_down(empty_hand: Hand, qtbot) -> None:
    hand, section = empty_hand, empty_hand.panel.probe
    window = hand.viewer.window._qt_window
    window.activateWindow()
    hand.wait_for(window.isActiveWindow)
    for layer in (None, hand.panel.controller.current.corrections):
        hand.viewer.layers.selection.active = layer
        qtbot.keyClick(hand.canvas, Qt.Key.Key_Q)
        assert section.toggle.isChecked()
        assert "Click a place" in section.status.text()
        qtbot.keyClick(hand.canvas, Qt.Key.Key_Escape)
        assert not section.toggle.isChecked()
    assert section.toggle.toolTip().endswith("Esc leaves (Q)")
    callbacks = len(hand.viewer.mouse_drag_callbacks)
    section.toggle.setChecked(True)
    section.tool.close()
    assert len(hand.viewer.mouse_drag_callbacks) == callbacks
    qtbot.keyClick(hand.canvas, Qt.Key.Key_Q)
    assert not section.tool.is_held


def test_probe_and_brush_are_never_in_hand_together(hand: Hand) -> None:
    section = hand.panel.probe
    hand.press(hand.panel.correction.classes.button(1))
    corrections = hand.panel.controller.current.corrections
    assert str(corrections.mode) == "paint"
    assert not section.toggle.isChecked()
    hand.press(section.toggle)
    assert str(corrections.mode) == "pan_zoom"
    hand.probe(70, 90)
    assert hand.panel.controller.session.corrections.is_empty


def test_of_many_quick_clicks_the_last_is_answered_and_no_late_answer_counts(
    hand: Hand, qtbot
) -> None:
    answered, told = [], []
    hand.prober.probed.connect(answered.append)
    hand.prober._probing.advanced.connect(told.append)
    for k in range(8):
        hand.prober.look_at(Place(10 + 10 * k, 20))
    hand.wait_for(lambda: not hand.prober.probing)
    qtbot.wait(20)
    assert [probe.place for probe in answered] == [Place(80, 20)]
    hand.probe(100, 100)
    hand.prober._on_probe(told[0])
    assert hand.prober.probe is answered[1]


def test_a_probe_is_answered_while_the_image_is_predicted(hand: Hand) -> None:
    hand.press(hand.panel.prediction.predict_all)
    hand.probe(70, 90)
    hand.wait_for(lambda: not hand.panel.controller.jobs.running)
    assert hand.panel.controller.session.store.finished.all()


def test_what_goes_wrong_is_one_sentence(hand: Hand) -> None:
    said = []
    notification_manager.notification_ready.connect(said.append)
    session = hand.panel.controller.session
    session.options = replace(session.options, device="xpu:7")
    hand.click(70, 90)
    hand.wait_for(lambda: bool(said))
    hand.wait_for(lambda: not hand.prober.probing)
    assert "no device 'xpu:7'" in said[0].message
    assert "Traceback" not in said[0].message


def test_layers_that_are_deleted_renamed_or_hidden_do_no_harm(hand: Hand) -> None:
    hand.probe(70, 90)
    layers = hand.prober.layers
    layers.flow.name, layers.windows.name, layers.flow.visible = "mine", "frames", False
    hand.probe(100, 20)
    assert {"mine", "frames"} < set(hand.names)
    assert not layers.flow.visible
    assert "Context flow" not in hand.names
    for layer in hand.prober.overlays:
        hand.viewer.layers.remove(layer)
    assert hand.prober.overlays == []
    hand.probe(30, 150)
    assert {"Context flow", "Probe"} < set(hand.names)
    assert layers.flow.visible


def test_another_model_answers_for_the_same_place_and_one_of_one_scale_says_why_not(
    hand: Hand, tmp_path: Path, plain: Path
) -> None:
    hand.probe(70, 90)
    before = hand.prober.probe
    other = untrained("other")
    save_checkpoint(tmp_path / "other", other.model, other.metadata)
    assert hand.panel.controller.use_model(tmp_path / "other")
    hand.wait_for(lambda: hand.prober.probe is not None)
    assert hand.prober.probe.place == before.place
    assert not np.array_equal(hand.prober.probe.probabilities, before.probabilities)
    assert hand.panel.controller.use_model(plain)
    assert hand.prober.probe is None
    assert not {"Context flow", "Probe"} & set(hand.names)
    assert not hand.panel.probe.isEnabled()
    assert not hand.panel.probe.tool.is_held
    assert "plain has no relay tokens" in hand.panel.probe.status.text()


def test_each_image_has_a_probe_of_its_own(hand: Hand, tmp_path: Path, model: Path) -> None:
    hand.probe(70, 90)
    first, section = hand.panel.controller.current, hand.panel.probe
    hand.panel.controller.open(write_picture(tmp_path / "second.tif", rows=100))
    hand.wait_for(lambda: len(hand.panel.controller.layers) == 2)
    hand.wait_for(lambda: not hand.panel.controller.jobs.running)
    assert not section.isEnabled()
    assert hand.panel.controller.use_model(model)
    assert hand.prober.probe is None
    assert not section.classes.isVisibleTo(section)
    hand.viewer.layers.selection.active = first.prober.layers.windows
    assert hand.panel.controller.current is first
    assert section.classes.isVisibleTo(section)
