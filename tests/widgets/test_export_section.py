"""The section *Export*: what a person chooses there lies on disk afterwards."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.utils.notifications import notification_manager
from pytestqt.qtbot import QtBot
from qtpy.QtCore import QUrl
from qtpy.QtGui import QDesktopServices
from qtpy.QtWidgets import QFileDialog

from napari_relay.exporting.formats import FORMATS
from napari_relay.geometry import Window
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.sections.export_section import ExportSection
from tests.widgets.attention.hand import click

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def predicted(ready: RelayPanel, qtbot: QtBot, wait_for: Wait) -> RelayPanel:
    """The picture is predicted as a whole."""
    ready.controller.predict_all()
    wait_for(lambda: not ready.controller.jobs.running)
    qtbot.wait(100)
    return ready


def save_as(
    panel: RelayPanel, qtbot: QtBot, wait_for: Wait, monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    """Press Save…, answer the dialog for files, and wait."""
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    click(qtbot, panel.export.save)
    wait_for(lambda: not panel.controller.exporter.jobs.running)


def test_what_is_chosen_is_saved_and_its_folder_can_be_opened(
    predicted: RelayPanel, qtbot: QtBot, wait_for: Wait, tmp_path: Path, monkeypatch
) -> None:
    section, store = predicted.export, predicted.controller.session.store
    opened: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    save_as(predicted, qtbot, wait_for, monkeypatch, tmp_path / "mask")
    saved = tifffile.imread(tmp_path / "mask.tif")
    np.testing.assert_array_equal(saved, store.read_labels(Window(0, 0, 160, 200)))
    assert "Saved mask.tif" in section.status.text()
    section.status.linkActivated.emit(section.status.text().split('"')[1])
    assert opened[0].toLocalFile() == str(tmp_path)

    section.choose("Confidence", "ome-tiff")
    save_as(predicted, qtbot, wait_for, monkeypatch, tmp_path / "sure.ome.tif")
    assert tifffile.imread(tmp_path / "sure.ome.tif").min() > 0

    section.choose("Objects as polygons", "geojson")
    save_as(predicted, qtbot, wait_for, monkeypatch, tmp_path / "all")
    everything = json.loads((tmp_path / "all.geojson").read_text())["features"]
    section.fields.area.setValue(500)
    save_as(predicted, qtbot, wait_for, monkeypatch, tmp_path / "large.geojson")
    large = json.loads((tmp_path / "large.geojson").read_text())["features"]
    assert 0 < len(large) < len(everything)
    assert min(feature["properties"]["area"] for feature in large) >= 500

    section.choose("Report", "report")
    save_as(predicted, qtbot, wait_for, monkeypatch, tmp_path / "report")
    with (tmp_path / "report" / "areas.csv").open(newline="") as file:
        pixels = [int(row["pixels"]) for row in csv.DictReader(file)]
    assert sum(pixels) == 160 * 200
    assert "Model card" in (tmp_path / "report" / "report.md").read_text()


def test_only_what_the_choice_needs_is_shown(predicted: RelayPanel, qtbot: QtBot) -> None:
    section = predicted.export
    offered = [section.what.itemText(row) for row in range(section.what.count())]
    assert offered[:3] == ["Class mask", "Objects as polygons", "Report"]
    assert "Probabilities" not in offered  # this prediction does not keep them
    assert not section.fields.isVisible()
    section.choose("Objects as polygons", "gpkg")
    assert section.fields.isVisible()
    assert section.fields.tolerance.isVisible()
    assert [section.fields.unit.itemText(k) for k in range(2)] == ["µm²", "mm²"]
    assert section.fields.tolerance.suffix() == " µm"
    section.choose("Report", "html")
    assert section.fields.isVisible()
    assert not section.fields.tolerance.isVisible()
    section.choose("Corrections", "log")
    assert not section.fields.isVisible()
    assert not section.inside.isVisible()
    shown = {section.format.itemData(row).name for row in range(section.format.count())}
    assert shown == {one.name for one in FORMATS if one.kind == "corrections"}


def test_only_what_lies_inside_the_drawn_areas_is_saved(
    predicted: RelayPanel, qtbot: QtBot, wait_for: Wait, tmp_path: Path, monkeypatch
) -> None:
    section, layers = predicted.export, predicted.controller.current
    said: list[object] = []
    notification_manager.notification_ready.connect(said.append)
    section.inside.setChecked(True)
    save_as(predicted, qtbot, wait_for, monkeypatch, tmp_path / "part.tif")
    assert "No area is drawn yet" in said[-1].message
    assert not (tmp_path / "part.tif").exists()

    layers.areas.draw()
    corners = np.array([(9.5, 19.5), (9.5, 59.5), (29.5, 59.5), (29.5, 19.5)])
    layers.areas.layer.add_polygons([*layers.areas.layer.data, corners])
    layers.areas.stop_drawing()
    save_as(predicted, qtbot, wait_for, monkeypatch, tmp_path / "part.tif")
    assert tifffile.imread(tmp_path / "part.tif").shape == (20, 40)


def test_how_much_is_predicted_is_said_before_saving(
    ready: RelayPanel, qtbot: QtBot, wait_for: Wait
) -> None:
    section, session = ready.export, ready.controller.session
    assert section.coverage.text() == "Nothing is predicted yet."
    ready.controller.look_at(Window(0, 0, 20, 20))
    qtbot.wait(100)
    ready.controller.predict_view()
    wait_for(lambda: not ready.controller.jobs.running)
    share = (session.store.read_labels(Window(0, 0, 160, 200)) != 255).mean()
    assert 0 < share < 1
    wait_for(lambda: section.coverage.text().startswith(f"{share:.0%}".rstrip("%")[:2]))
    assert section.coverage.text().endswith("of the image is predicted; the rest stays empty.")
    ready.controller.predict_all()
    wait_for(lambda: not ready.controller.jobs.running)
    wait_for(section.coverage.isHidden)


def test_an_export_runs_beside_a_prediction_and_can_be_cancelled(
    predicted: RelayPanel, qtbot: QtBot, wait_for: Wait, tmp_path: Path, monkeypatch
) -> None:
    section, exporter = predicted.export, predicted.controller.exporter
    slow = _slow(tmp_path / "slow.txt")
    exporter.jobs.start("Exporting", slow)
    wait_for(section.cancel.isVisible)
    assert not section.save.isVisible()
    wait_for(lambda: section.bar.maximum() == 1000)
    predicted.controller.predict_all()
    wait_for(lambda: not predicted.controller.jobs.running)
    assert exporter.jobs.running
    click(qtbot, section.cancel)
    wait_for(lambda: not exporter.jobs.running)
    assert section.save.isVisible()
    assert section.status.text() == "Nothing was saved."
    assert not list(tmp_path.glob("*slow*"))


def test_a_mistake_is_one_sentence_and_nothing_is_left(
    predicted: RelayPanel, qtbot: QtBot, wait_for: Wait, tmp_path: Path, monkeypatch
) -> None:
    said: list[object] = []
    notification_manager.notification_ready.connect(said.append)
    predicted.export.choose("Corrections", "corrections")
    save_as(predicted, qtbot, wait_for, monkeypatch, tmp_path / "c.tif")
    assert "Nothing of picture.tif is corrected" in said[-1].message
    predicted.export.choose("Class mask", "cog")
    save_as(predicted, qtbot, wait_for, monkeypatch, tmp_path / "nowhere" / "mask.tif")
    assert "choose a folder that exists" in said[-1].message
    assert predicted.export.save.isVisible()


def test_export_can_be_reached_from_the_top_of_the_panel(
    predicted: RelayPanel, qtbot: QtBot, wait_for: Wait
) -> None:
    window = predicted.window()
    window.resize(1280, 720)
    section: ExportSection = predicted.export
    section.heading.setChecked(False)
    qtbot.wait(200)
    click(qtbot, predicted.go_to_export)
    wait_for(section.save.isVisible)
    wait_for(lambda: not section.save.visibleRegion().isEmpty())


def _slow(path: Path):
    from time import sleep

    from napari_relay.exporting.progress import ExportProgress
    from napari_relay.exporting.whole import whole_file

    def write():
        with whole_file(path) as scratch:
            scratch.write_text("half")
            for step in range(1000):
                sleep(0.01)
                yield ExportProgress(path, step, 1000)

    return write
