"""Keys of the app, pressed as a person presses them."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from napari.layers import Image, Labels, Points, Shapes
from napari.utils.key_bindings import coerce_keybinding
from napari.utils.shortcuts import default_shortcuts
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, Qt
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QApplication, QLineEdit, QMainWindow

from napari_relay.widgets.help_sheet import help_page
from napari_relay.widgets.panel import RelayPanel, main_window
from napari_relay.widgets.shortcuts import SHORTCUTS, KeyBindings, Shortcut
from tests.colors import save_untrained, write_picture

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def ready(panel: RelayPanel, tmp_path: Path, wait_for: Wait, qtbot) -> RelayPanel:
    """A panel with an image open and a model chosen."""
    panel.controller.open(write_picture(tmp_path / "picture.tif"))
    wait_for(lambda: panel.controller.session is not None)
    assert panel.controller.use_model(save_untrained(tmp_path / "colors"))
    qtbot.wait(100)
    return panel


def window_of(panel: RelayPanel) -> QMainWindow:
    window = main_window(panel)
    assert window is not None
    return window


def test_no_key_is_one_of_naparis_own() -> None:
    taken = {str(coerce_keybinding(key)) for keys in default_shortcuts.values() for key in keys}
    taken |= {
        str(key)
        for layer in (Image, Labels, Points, Shapes)
        for kind in layer.__mro__
        for key in getattr(kind, "class_keymap", {})
    }
    ours = [str(coerce_keybinding(shortcut.key)) for shortcut in SHORTCUTS]
    assert not taken & set(ours)
    assert all(a != b for a, b in itertools.combinations(ours, 2))


def test_g_predicts_the_view_wherever_the_focus_is(
    ready: RelayPanel, qtbot, wait_for: Wait
) -> None:
    arrived: list[object] = []
    ready.controller.predicted.connect(arrived.append)
    ready.prediction.predict_all.setFocus()
    qtbot.keyClick(window_of(ready), Qt.Key.Key_G)
    wait_for(lambda: bool(arrived) and not ready.controller.jobs.running)


def test_h_hides_the_mask_while_it_is_held_and_for_good_when_it_is_tapped(
    ready: RelayPanel, qtbot
) -> None:
    layers, window = ready.controller.current, window_of(ready)
    assert layers is not None
    assert layers.prediction is not None
    qtbot.keyPress(window, Qt.Key.Key_H)
    assert not layers.prediction.visible
    qtbot.wait(400)
    qtbot.keyRelease(window, Qt.Key.Key_H)
    assert layers.prediction.visible
    for shown in (False, True):
        qtbot.keyPress(window, Qt.Key.Key_H)
        qtbot.keyRelease(window, Qt.Key.Key_H)
        assert layers.prediction.visible is shown


def test_a_key_that_repeats_while_it_is_held_is_one_press(ready: RelayPanel, qtbot) -> None:
    layers, window = ready.controller.current, window_of(ready)
    assert layers is not None
    key, none = Qt.Key.Key_H, Qt.KeyboardModifier.NoModifier
    for repeated in (False, True, True):
        QApplication.sendEvent(window, QKeyEvent(QEvent.Type.KeyPress, key, none, "h", repeated))
    assert not layers.prediction.visible
    qtbot.wait(400)
    qtbot.keyRelease(window, Qt.Key.Key_H)
    assert layers.prediction.visible


def test_n_and_shift_n_step_through_the_classes_round_the_end(ready: RelayPanel, qtbot) -> None:
    window, layers = window_of(ready), ready.controller.current
    assert layers is not None
    seen = []
    for modifier in (Qt.KeyboardModifier.NoModifier,) * 3 + (Qt.KeyboardModifier.ShiftModifier,):
        qtbot.keyClick(window, Qt.Key.Key_N, modifier)
        seen.append(layers.corrections.selected_label)
    assert seen == [2, 3, 1, 3]
    assert str(layers.corrections.mode) == "paint"


@pytest.mark.parametrize("kind", ["number", "text", "button"])
def test_a_key_acts_unless_a_person_types_it_into_a_field(
    ready: RelayPanel, qtbot, kind: str, wait_for: Wait
) -> None:
    text = QLineEdit(ready)
    text.show()
    focus = {
        "number": ready.finetuning.steps.native,
        "text": text,
        "button": ready.prediction.predict_all,
    }[kind]
    ready.activateWindow()
    focus.setFocus()
    wait_for(focus.hasFocus)
    layers = ready.controller.current
    assert layers is not None
    qtbot.keyClick(focus, Qt.Key.Key_H)
    assert layers.prediction.visible is (kind != "button")


def test_without_an_image_the_keys_do_nothing(panel: RelayPanel, qtbot) -> None:
    for key in (Qt.Key.Key_G, Qt.Key.Key_H, Qt.Key.Key_N):
        qtbot.keyClick(window_of(panel), key)
    assert not panel.controller.jobs.running


def test_f1_and_the_button_open_a_page_that_lists_every_key(panel: RelayPanel, qtbot) -> None:
    qtbot.keyClick(window_of(panel), Qt.Key.Key_F1)
    sheet = panel._help_sheet
    assert sheet is not None
    assert sheet.isVisible()
    text = sheet.page.toPlainText()
    assert all(shortcut.does in text for shortcut in panel.keys.bound)
    assert all(section.title in text for section in panel._sections())
    sheet.close()
    qtbot.mouseClick(panel.help, Qt.MouseButton.LeftButton)
    assert sheet.isVisible()
    sheet.close()


def test_the_tooltips_name_the_keys(ready: RelayPanel) -> None:
    assert ready.prediction.predict_view.toolTip().endswith("(G)")
    assert ready.help.toolTip().endswith("(F1)")
    assert "N and Shift+N" in ready.correction.classes.button(0).toolTip()


def test_the_keys_are_given_back_when_the_panel_is_closed(
    viewer: Viewer, panel: RelayPanel
) -> None:
    assert len(viewer.keymap) == len(panel.keys.bound)
    panel.keys.close()
    assert not viewer.keymap


def test_a_key_that_a_person_has_bound_stays_theirs(viewer: Viewer) -> None:
    pressed = []
    viewer.bind_key("G", lambda _viewer: pressed.append("theirs"))
    keys = KeyBindings(viewer)
    keys.press(Shortcut("G", "something"), lambda: pressed.append("ours"))
    assert keys.bound == ()
    keys.close()
    viewer.keymap[coerce_keybinding("G")](viewer)
    assert pressed == ["theirs"]


def test_markup_in_a_text_is_shown_as_it_is() -> None:
    assert "&lt;b&gt;" in help_page([Shortcut("B", "make <b> bold")])
