"""Asking what if, as a person does: a box, buttons, clicks on the canvas."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from napari.utils.notifications import notification_manager

from napari_relay.exploring import WhatIf, what_if
from napari_relay.geometry import Window
from napari_relay.widgets.changes_overlay import ChangesOverlay
from tests.widgets.probing.hand import Hand


def _choose(hand: Hand, kind: str) -> None:
    box = hand.panel.probe.what_if.kind
    box.setCurrentIndex(box.findData(kind))


def test_what_changes_is_shown_pixel_by_pixel_and_counted(hand: Hand, qtbot) -> None:
    part, session = hand.panel.probe.what_if, hand.panel.controller.session
    assert not part.run.isEnabled()  # nothing is probed yet
    assert part.run_view.isEnabled()
    hand.probe(70, 90)
    for layer in hand.viewer.layers:
        layer.visible = False
    _choose(hand, "blank")
    hand.compare(part.run)
    expected = what_if(
        session.checkpoint, session.model_image, hand.prober.probe.place, WhatIf("blank")
    )
    layer, (rows, cols) = hand.prober.changes.layer, expected.before.shape
    assert np.array_equal(np.asarray(layer.data[0])[:rows, :cols], expected.new_classes)
    assert expected.tally.changed > 0
    assert tuple(layer.translate) == tuple(0.5 * v for v in expected.window[:2])
    assert f"{expected.tally.changed} of" in part.found.text().replace("\u202f", "")
    assert "With a blank wide view" in part.found.text()
    layer.opacity = 1
    qtbot.wait(400)
    picture = hand.viewer.screenshot(flash=False)[..., :3].astype(int)
    for label in {after for _, after in expected.tally.transitions}:
        color = session.checkpoint.metadata.classes.colors[label]
        drawn = np.abs(picture - [int(color[k : k + 2], 16) for k in (1, 3, 5)]).max(axis=-1) <= 2
        assert drawn.any()


def test_changes_go_with_the_probe_that_they_belong_to(hand: Hand) -> None:
    part = hand.panel.probe.what_if
    hand.probe(70, 90)
    hand.compare(part.run)
    hand.probe(100, 20)
    assert hand.prober.comparison is None
    assert (np.asarray(hand.prober.changes.layer.data[0]) == 255).all()
    assert not part.found.text()
    hand.press(hand.panel.probe.clear)
    assert hand.names == ["picture", "Prediction", "Corrections"]
    assert not hand.panel.probe.clear.isEnabled()
    assert not hand.panel.probe.classes.isVisibleTo(hand.panel.probe)
    hand.probe(70, 90)
    hand.compare(part.run)
    hand.viewer.layers.remove(hand.prober.changes.layer)
    hand.compare(part.run)
    assert hand.prober.changes.layer in hand.viewer.layers


def test_the_next_click_chooses_the_other_place(empty_hand: Hand, qtbot) -> None:
    hand, part = empty_hand, empty_hand.panel.probe.what_if
    _choose(hand, "elsewhere")
    assert hand.panel.probe.tool.is_held
    hand.panel.probe.tool.put_down()
    assert not part.choosing
    hand.press(part.run_view)
    assert part.choosing
    assert "Click the place whose wide view" in part.found.text()
    hand.click(30, 150)
    assert not part.choosing
    hand.probe(70, 90)
    probe = hand.prober.probe
    hand.compare(part.run)
    other = hand.prober.question.elsewhere
    assert abs(other.row - 30) <= 1
    assert abs(other.col - 150) <= 1
    assert f"With the wide view of row {other.row}, column {other.col}" in part.found.text()
    assert hand.prober.probe is probe
    qtbot.wait(20)
    assert len(hand.rectangles) == 3
    _choose(hand, "cut")
    qtbot.wait(20)
    assert hand.rectangles == sorted([probe.local, probe.global_])


def test_the_view_is_compared_tile_by_tile_and_can_be_cancelled(hand: Hand) -> None:
    part, arrived = hand.panel.probe.what_if, []

    def stop(found: object) -> None:
        if not arrived:
            hand.press(part.cancel)
        arrived.append(found)

    hand.prober.compared.connect(stop)
    hand.press(part.run_view)
    assert part.cancel.isVisible()
    hand.wait_for(lambda: not hand.prober.comparing)
    assert 1 <= hand.prober.comparison.done < hand.prober.comparison.total
    assert "Stopped" in part.found.text()
    assert not part.cancel.isVisible()
    hand.prober.compared.disconnect(stop)
    hand.press(part.run_view)
    hand.probe(70, 90)  # is answered meanwhile
    hand.wait_for(lambda: not hand.prober.comparing)
    found = hand.prober.comparison
    assert found.done == found.total
    assert found.tally.pixels == found.area.area
    assert "Stopped" not in part.found.text()


def test_with_the_image_out_of_view_nothing_is_compared_and_a_sentence_says_why(
    empty_hand: Hand, qtbot
) -> None:
    hand, said = empty_hand, []
    notification_manager.notification_ready.connect(said.append)
    hand.viewer.scene.camera.center = (5000.0, 5000.0)
    qtbot.wait(20)
    hand.press(hand.panel.probe.what_if.run_view)
    assert "not in view" in said[0].message
    assert not hand.prober.comparing


def test_another_model_ends_the_comparison(hand: Hand, plain: Path) -> None:
    hand.press(hand.panel.probe.what_if.run_view)
    assert hand.panel.controller.use_model(plain)
    hand.wait_for(lambda: not hand.prober.comparing)
    assert hand.prober.comparison is None


def test_closing_the_image_while_it_is_compared_and_probed_is_clean(hand: Hand, qtbot) -> None:
    prober = hand.prober
    hand.press(hand.panel.probe.what_if.run_view)
    hand.click(70, 90)
    hand.viewer.layers.remove("picture")
    hand.wait_for(lambda: not (prober.comparing or prober.probing))
    qtbot.wait(200)
    assert len(hand.viewer.layers) == 0
    assert not hand.panel.probe.isEnabled()
    assert not hand.panel.probe.tool.is_held


def test_a_changed_pixel_is_seen_in_every_level(hand: Hand) -> None:
    hand.probe(70, 90)
    _choose(hand, "blank")
    hand.compare(hand.panel.probe.what_if.run)
    overlay: ChangesOverlay = hand.prober.changes
    levels = [np.asarray(level) != 255 for level in overlay.layer.data]
    assert levels[0].any()
    for fine, coarse in pairwise(levels):
        rows, cols = coarse.shape
        assert np.array_equal(coarse, fine.reshape(rows, 2, cols, 2).any(axis=(1, 3)))
    whole = Window(0, 0, *overlay.layer.data[0].shape)
    assert whole.height % 8 == whole.width % 8 == 0
