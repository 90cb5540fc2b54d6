"""The section Correct, used as a person uses it, checked in the corrections on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from pytestqt.qtbot import QtBot
from qtpy.QtCore import Qt

from napari_relay.annotation import CorrectionStore
from napari_relay.geometry import Window
from napari_relay.inference.tile import PredictedTile
from napari_relay.widgets import paintable_labels
from napari_relay.widgets.panel import RelayPanel, main_window
from napari_relay.widgets.region_tools import ACCEPT, IGNORE, LASSO, REFUSE, RELABEL
from tests.widgets.mouse import Mouse

Wait = Callable[[Callable[[], bool]], None]

OBJECT = Window(40, 60, 50, 70)
"""Where the prediction says "red"; elsewhere it says "light"."""


@pytest.fixture
def correcting(ready: RelayPanel, wait_for: Wait, qtbot: QtBot) -> RelayPanel:
    """A panel with a prediction: an object in the middle, in which the model is unsure."""
    store = ready.controller.session.store
    labels = np.ones(store.shape, np.uint8)
    labels[OBJECT.slices] = 2
    rows, cols = store.grid.shape
    tiles = [(i, j) for i in range(rows) for j in range(cols)]
    store.write(_tile(store.grid.tile(*tile), tile, labels) for tile in tiles)
    ready.controller.current.prediction.refresh()
    ready.controller.look_at(Window(0, 0, *store.shape))
    wait_for(lambda: ready.controller.current.base.loaded)
    qtbot.wait(100)
    return ready


def _tile(area: Window, position: tuple[int, int], labels: np.ndarray) -> PredictedTile:
    part = labels[area.slices]
    unsure = np.where(part == 2, 200, 20).astype(np.uint8)
    return PredictedTile(position, part, unsure, unsure, unsure, None, None)


def corrections(panel: RelayPanel) -> CorrectionStore:
    return panel.controller.session.corrections


def pixels(panel: RelayPanel) -> np.ndarray:
    store = corrections(panel)
    return store.read(Window(0, 0, *store.shape))


def click(qtbot: QtBot, widget) -> None:
    qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)


def drag(panel: RelayPanel, wait_for: Wait, *points: tuple[float, float]) -> None:
    """Press, move and release at level-0 pixels, and wait until it is painted."""
    layer = panel.controller.current.corrections
    Mouse(layer).drag(*(tuple(layer.data_to_world(point)) for point in points))
    wait_for(lambda: not panel.controller.current.painter.busy)


def take(panel: RelayPanel, qtbot: QtBot, tool: str) -> None:
    click(qtbot, panel.correction.button_of(tool))


SQUARE = [(10, 20), (10, 150), (120, 150), (120, 20), (12, 20)]


def inside(corners: list[tuple[int, int]]) -> tuple[slice, slice]:
    rows, cols = zip(*corners, strict=True)
    return slice(min(rows), max(rows) + 1), slice(min(cols), max(cols) + 1)


def test_one_click_tools_act_on_the_object_under_the_mouse(
    correcting: RelayPanel, wait_for: Wait, qtbot: QtBot
) -> None:
    expected = np.full(corrections(correcting).shape, 255)
    for tool, value in ((ACCEPT, 2), (RELABEL, 0), (REFUSE, 130), (IGNORE, 254)):
        take(correcting, qtbot, tool)
        drag(correcting, wait_for, (50, 70))
        expected[OBJECT.slices] = value
        np.testing.assert_array_equal(pixels(correcting), expected)
    for value in (130, 0, 2, 255):
        click(qtbot, correcting.correction.undo)
        wait_for(lambda: not correcting.controller.current.painter.busy)
        expected[OBJECT.slices] = value
        np.testing.assert_array_equal(pixels(correcting), expected)
    corrections(correcting).flush()
    entries = corrections(correcting).log.corrections()
    assert [c.tool for c in entries] == [ACCEPT, RELABEL, REFUSE, IGNORE]
    assert [c.says for c in entries] == ["red", "dark", "not red", "ignored"]
    assert {(c.window, c.pixels, c.model, c.undone) for c in entries} == {
        (OBJECT, OBJECT.area, "colors", True)
    }


def test_a_line_drawn_around_an_area_acts_on_all_inside(
    correcting: RelayPanel, wait_for: Wait, qtbot: QtBot
) -> None:
    predicted = np.ones(corrections(correcting).shape, int)
    predicted[OBJECT.slices] = 2
    for tool, values in (
        (ACCEPT, predicted),
        (REFUSE, predicted + 128),
        (LASSO, np.zeros_like(predicted)),
    ):
        take(correcting, qtbot, tool)
        drag(correcting, wait_for, *SQUARE)
        expected = np.full(predicted.shape, 255)
        expected[inside(SQUARE)] = values[inside(SQUARE)]
        np.testing.assert_array_equal(pixels(correcting), expected)


def test_not_a_class_and_ignored_are_painted_with_the_brush_and_counted_apart(
    correcting: RelayPanel, wait_for: Wait, qtbot: QtBot
) -> None:
    section = correcting.correction
    click(qtbot, section.classes.button(1))
    click(qtbot, section.negate)
    assert (section.value, section.tool) == (129, "paint")
    drag(correcting, wait_for, (20, 20), (20, 40))
    click(qtbot, section.ignore)
    drag(correcting, wait_for, (100, 20), (100, 40))
    click(qtbot, section.negate)
    assert section.value == 128  # of what nobody can say there is no "not"
    counts = corrections(correcting).value_counts()
    assert counts[129] > 100
    assert counts[254] > 100
    assert corrections(correcting).class_counts().sum() == 0
    wait_for(lambda: "not light" in section.status.text() and "ignored" in section.status.text())


def test_a_polygon_too_large_for_the_moment_is_painted_in_the_worker_and_undone_as_one(
    correcting: RelayPanel, wait_for: Wait, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paintable_labels, "LARGE", 1000)
    layers = correcting.controller.current
    layer = layers.show_corrections()
    layer.paint_polygon([(10, 10), (10, 150), (100, 150), (100, 10)], 1)
    assert layers.painter.busy  # and what follows waits for it
    layer.mode, layer.brush_size, layer.selected_label = "paint", 11, 3
    Mouse(layer).drag(tuple(layer.data_to_world((50, 50))))
    wait_for(lambda: not layers.painter.busy)
    painted = pixels(correcting)
    assert (painted[10:101, 10:151] != 255).all()
    assert painted[50, 50] == 2
    layer.undo()
    wait_for(lambda: not layers.painter.busy)
    assert corrections(correcting).class_counts().tolist() == [91 * 141, 0, 0]
    layer.undo()
    wait_for(lambda: not layers.painter.busy)
    assert corrections(correcting).is_empty
    layer.redo()
    wait_for(lambda: not layers.painter.busy)
    assert corrections(correcting).class_counts().tolist() == [91 * 141, 0, 0]


def test_a_brush_of_any_size_paints_the_pixels_it_passes_over(
    correcting: RelayPanel, wait_for: Wait, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = correcting.controller.current.show_corrections()
    layer.mode, layer.brush_size, layer.selected_label = "paint", 31, 1
    drag(correcting, wait_for, (60, 60), (70, 130))
    at_once = pixels(correcting)
    layer.undo()
    monkeypatch.setattr(paintable_labels, "LARGE_BRUSH", 20)
    drag(correcting, wait_for, (60, 60), (70, 130))
    different = np.count_nonzero((pixels(correcting) == 0) != (at_once == 0))
    assert np.count_nonzero(at_once == 0) > 2500
    assert different < 40  # napari dabs discs along the way, in steps
    shown = layer._slice.image.raw.copy()
    layer.refresh()
    np.testing.assert_array_equal(shown, layer._slice.image.raw)


def test_the_places_are_stepped_through_by_key_and_agreeing_paints_the_prediction(
    correcting: RelayPanel, wait_for: Wait, qtbot: QtBot
) -> None:
    window, places = main_window(correcting), correcting.correction.places
    assert not places.agree.isEnabled()
    qtbot.keyClick(window, Qt.Key.Key_Period)
    wait_for(lambda: "1 of" in places.status.text())
    assert correcting.controller.current.places.layer.nshapes == 2
    shape = corrections(correcting).shape
    corrections(correcting).write(Window(0, 0, 5, 5), np.zeros((5, 5), np.uint8))
    qtbot.keyClick(window, Qt.Key.Key_U)
    wait_for(lambda: not correcting.controller.current.painter.busy)
    expected = np.ones(shape)
    expected[OBJECT.slices] = 2
    expected[:5, :5] = 0  # what was corrected stays
    np.testing.assert_array_equal(pixels(correcting), expected)
    assert "agreed" in places.status.text()
    corrections(correcting).flush()
    assert {c.tool for c in corrections(correcting).log.corrections()} == {"agreed"}


def test_a_mask_is_imported_as_it_is_chosen_in_the_dialog_and_the_log_is_saved(
    correcting: RelayPanel, wait_for: Wait, qtbot: QtBot, tmp_path: Path
) -> None:
    values = np.full(corrections(correcting).shape, 255, np.uint8)
    values[20:60, 30:90], values[100:110, 30:90] = 1, 77
    tifffile.imwrite(tmp_path / "mask.tif", values)
    files = correcting.correction.files
    files.import_from(tmp_path / "mask.tif")
    dialog = files.dialog
    wait_for(lambda: bool(dialog.table.choices))
    assert dialog.placed.text() == "The image's own pixels, one by one."
    assert not dialog.take.isEnabled()
    assert "Choose what 77 is imported as" in dialog.waits.text()
    assert dialog.table.choices["1"].currentText() == "light"
    unknown = dialog.table.choices["77"]
    assert dialog.focusWidget() is unknown
    for _ in range(6):  # by the keyboard alone
        qtbot.keyClick(unknown, Qt.Key.Key_Down)
    assert unknown.currentText() == "not red"
    assert dialog.take.isEnabled()
    qtbot.keyClick(dialog, Qt.Key.Key_Return)
    wait_for(lambda: not correcting.controller.current.painter.busy)
    np.testing.assert_array_equal(pixels(correcting), np.where(values == 77, 130, values))
    files.save_log_to(tmp_path / "log.csv")
    wait_for(lambda: (tmp_path / "log.csv").exists() and not files._saving.running)
    assert "import mask.tif,1,light,20,30,90,60,2400,0" in (tmp_path / "log.csv").read_text()
    click(qtbot, correcting.correction.undo)
    wait_for(lambda: not correcting.controller.current.painter.busy)
    assert corrections(correcting).is_empty


def test_the_dialog_names_repaired_outlines_takes_another_column_and_may_be_cancelled(
    correcting: RelayPanel, wait_for: Wait, qtbot: QtBot, tmp_path: Path
) -> None:
    bow_tie = [[10, 10], [30, 30], [30, 10], [10, 30], [10, 10]]
    features = [
        {
            "type": "Feature",
            "properties": {"class": "kiln", "kind": "red"},
            "geometry": {"type": "Polygon", "coordinates": rings},
        }
        for rings in ([bow_tie], [])
    ]
    path = tmp_path / "drawn.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    files = correcting.correction.files
    files.import_from(path)
    dialog = files.dialog
    wait_for(lambda: "kiln" in dialog.table.choices)
    assert "1 invalid outline was repaired (feature 0)" in dialog.notes.text()
    assert "1 object is left out: an empty geometry (feature 1)" in dialog.notes.text()
    assert dialog.column.isVisible()
    qtbot.keyClicks(dialog.column, "kind")
    qtbot.keyClick(dialog.column, Qt.Key.Key_Return)
    dialog.column.activated.emit(dialog.column.currentIndex())
    wait_for(lambda: "red" in dialog.table.choices)
    assert dialog.take.isEnabled()
    qtbot.keyClick(dialog, Qt.Key.Key_Escape)
    assert files.dialog is None
    assert corrections(correcting).is_empty
    wait_for(lambda: not files._reading.running)


def test_a_file_that_cannot_be_imported_says_why_in_the_dialog(
    correcting: RelayPanel, wait_for: Wait, qtbot: QtBot, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((3, 4), np.uint8))
    files = correcting.correction.files
    files.import_from(tmp_path / "small.tif")
    wait_for(lambda: "3 × 4 pixels" in files.dialog.notes.text())
    assert not files.dialog.take.isEnabled()
    files.dialog.reject()
    wait_for(lambda: not files._reading.running)


def test_trouble_with_saving_is_shown_until_it_is_over(
    correcting: RelayPanel, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    unsaved, cache = correcting.correction.unsaved, corrections(correcting).pyramid._cache

    def refuse(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "_store", refuse)
    layer = correcting.controller.current.show_corrections()
    layer.paint((30, 30), 1)
    wait_for(lambda: "No space left on device" in unsaved.text())
    assert unsaved.isVisibleTo(correcting.correction.body)
    monkeypatch.undo()
    wait_for(lambda: not unsaved.text())
    assert not corrections(correcting).dirty
