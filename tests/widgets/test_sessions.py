"""Sessions on disk, opened and kept by the window."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer
from qtpy.QtCore import QEvent, QPoint, Qt
from qtpy.QtGui import QHelpEvent
from qtpy.QtWidgets import QApplication, QToolTip

from napari_relay.geometry import Window
from napari_relay.images.relief import STYLES
from napari_relay.inference.attention_choice import AttentionChoice
from napari_relay.samples import sample_terrain
from napari_relay.sessions import Project, read_manifest
from napari_relay.widgets.app import add_start_page
from napari_relay.widgets.band_display import BandChoice
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.session_desk import SessionDesk
from napari_relay.widgets.start_page import StartPage
from tests.colors import write_picture
from tests.widgets.file_drop import drop

Wait = Callable[[Callable[[], bool]], None]
PLACE = Window(40, 60, 80, 90)
STROKE = Window(5, 5, 20, 30)


def click(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def open_session(panel: RelayPanel, folder: Path, images: int, wait_for: Wait) -> SessionDesk:
    desk = panel.sessions
    assert desk.open(folder)
    wait_for(lambda: len(panel.controller.layers) == images and not desk.keeper.restoring)
    return desk


def save(panel: RelayPanel, target: Path, wait_for: Wait) -> Path:
    """Save the session of a window under a name, and go on there."""
    desk = panel.sessions
    desk.saver.save_as(target)
    wait_for(lambda: desk.keeper.project is not None and not desk.keeper.project.is_unnamed)
    wait_for(lambda: not desk.saver.jobs.running)
    return target.with_name(f"{target.name}.relay")


@pytest.fixture
def page(panel: RelayPanel) -> Iterator[StartPage]:
    made = add_start_page(panel)
    assert made is not None
    yield made
    made.close_page()


@pytest.fixture
def worked(ready: RelayPanel, tmp_path: Path, wait_for: Wait) -> RelayPanel:
    """Two images; one is predicted in part, corrected, and shown in a way of its own."""
    controller = ready.controller
    controller.open(write_picture(tmp_path / "second.tif", 220, 180))
    wait_for(lambda: len(controller.layers) == 2)
    controller.work_on(controller.layers[0])
    controller.predict_view()
    wait_for(lambda: not controller.jobs.running)
    layers, session = controller.layers[0], controller.layers[0].session
    assert session.corrections is not None
    session.corrections.write(STROKE, np.ones((20, 30), np.uint8))
    image = session.image
    ready.image.display.show(layers.base, image, BandChoice((2, 2, 2), (5.0, 90.0)))
    session.set_class_color(1, "#123456")
    layers.show_score("entropy")
    layers.prediction.opacity = 0.25
    layers.prediction.contour = 3
    layers.corrections.visible = False
    controller.look_at(PLACE)
    return ready


@pytest.fixture
def saved(worked: RelayPanel, tmp_path: Path, wait_for: Wait) -> Path:
    """The session of ``worked`` under a name; it is open."""
    return save(worked, tmp_path / "elsewhere" / "study", wait_for)


def test_a_saved_session_opens_as_it_was_left_with_all_its_images(
    saved: Path, worked: RelayPanel, viewer: Viewer, page: StartPage, qtbot, wait_for: Wait
) -> None:
    controller, desk = worked.controller, worked.sessions
    assert desk.part.name.text() == "Session: study"
    assert controller.layers[0].session.folder.parent.parent == saved
    controller.work_on(controller.layers[0])
    controller.look_at(PLACE)
    camera = (tuple(viewer.scene.camera.center)[-2:], viewer.scene.camera.zoom)
    desk.keeper.look()
    viewer.layers.clear()
    wait_for(lambda: desk.keeper.project is None)
    assert page.isVisible()
    assert page.resume.text() == "Continue with study"
    click(qtbot, page.resume)
    wait_for(lambda: len(controller.layers) == 2 and not desk.keeper.restoring)
    layers = controller.layers[0]
    assert controller.current is layers
    assert [x.base.name for x in controller.layers] == ["picture", "second"]
    session = layers.session
    assert session.checkpoint is not None
    assert session.checkpoint.metadata.name == "colors"
    assert session.classes is not None
    assert session.classes.colors[1] == "#123456"
    assert session.store is not None
    assert session.store.finished.any()
    assert session.corrections is not None
    assert (session.corrections.read(STROKE) == 1).all()
    choice = worked.image.display.choice_of(layers.base, session.image)
    assert choice == BandChoice((2, 2, 2), (5.0, 90.0))
    assert layers.shown_score == "entropy"
    assert (layers.prediction.opacity, layers.prediction.contour) == (0.25, 3)
    assert not layers.corrections.visible
    np.testing.assert_allclose(tuple(viewer.scene.camera.center)[-2:], camera[0])
    assert viewer.scene.camera.zoom == pytest.approx(camera[1])
    assert controller.layers[1].session.checkpoint is None


def test_the_version_in_use_and_the_attention_in_view_come_back(
    ready: RelayPanel, viewer: Viewer, tmp_path: Path, wait_for: Wait
) -> None:
    controller, desk = ready.controller, ready.sessions
    for _ in range(2):
        controller.session.accept(controller.session.checkpoint)
    controller.use_version(controller.session.versions()[1])
    wait_for(lambda: not controller.jobs.running)
    controller.predict_all()
    wait_for(lambda: not controller.jobs.running)
    choice = AttentionChoice("patch_to_relay", 1, 2, None)
    ready.attention.choose(["global"], choice)
    wait_for(lambda: not controller.current.busy)
    folder = save(ready, tmp_path / "study", wait_for)
    viewer.layers.clear()
    wait_for(lambda: desk.keeper.project is None)
    open_session(ready, folder, 1, wait_for)
    layers = controller.layers[0]
    assert layers.session.version.number == 1
    assert [version.number for version in layers.session.versions()] == [0, 1, 2]
    assert layers.session.store.finished.all()
    assert tuple(layers.attention.shown) == ("global",)
    assert layers.attention.choice == choice
    assert ready.attention.choice() == choice


def test_the_relief_of_terrain_comes_back(
    panel: RelayPanel, viewer: Viewer, tmp_path: Path, wait_for: Wait
) -> None:
    controller, style = panel.controller, STYLES[1]
    controller.open(sample_terrain())
    wait_for(lambda: len(controller.layers) == 1 and not controller.jobs.running)
    base, image = controller.layers[0].base, controller.layers[0].session.image
    panel.image.reliefs.show(base, image, style)
    folder = save(panel, tmp_path / "terrain", wait_for)
    viewer.layers.clear()
    wait_for(lambda: panel.sessions.keeper.project is None)
    open_session(panel, folder, 1, wait_for)
    base = controller.layers[0].base
    assert panel.image.reliefs.style_of(base) == style
    assert (base.visible, panel.image.reliefs.layer_of(base).visible) == (False, True)
    assert panel.image.relief.currentText() == style.label


def test_a_change_is_on_disk_within_two_seconds_and_the_old_place_keeps_the_corrections(
    saved: Path, worked: RelayPanel, tmp_path: Path, qtbot
) -> None:
    worked.controller.layers[0].prediction.opacity = 0.75
    qtbot.wait(2000)
    assert read_manifest(saved).images[0].view.layers["prediction"].opacity == 0.75
    (old,) = (tmp_path / "home" / "data" / "sessions").glob("picture-*")
    assert (old / "corrections").is_dir()
    assert not (old / "predictions").exists()


def test_a_moved_image_is_asked_for_and_another_one_is_refused(
    saved: Path, worked: RelayPanel, viewer: Viewer, tmp_path: Path, wait_for: Wait
) -> None:
    desk = worked.sessions
    viewer.layers.clear()
    wait_for(lambda: desk.keeper.project is None)
    moved = (tmp_path / "second.tif").rename(tmp_path / "elsewhere" / "renamed.tif")
    (tmp_path / "colors").rename(tmp_path / "elsewhere" / "my-colors")
    assert desk.open(saved)
    wait_for(lambda: len(desk.opener.missing) == 2)
    wait_for(lambda: desk.part._dialog is not None and len(desk.part._dialog.rows) == 2)
    dialog = desk.part._dialog
    assert dialog is not None
    image = next(row for row in dialog.rows if row.title.text() == "second.tif")
    assert "second.tif is not there any more" in image.reason.text()
    image.take(write_picture(tmp_path / "larger.tif", 300, 300))
    assert "is another file" in image.reason.text()
    image.take(tmp_path / "picture.tif")  # as many bytes, other pixels
    wait_for(lambda: any("its pixels differ" in m.reason for m in desk.opener.missing))
    wait_for(lambda: any("its pixels differ" in row.reason.text() for row in dialog.rows))
    image = next(row for row in dialog.rows if row.title.text() == "second.tif")
    image.take(moved)
    wait_for(lambda: len(worked.controller.layers) == 2)
    model = next(row for row in dialog.rows if row.title.text() == "Model colors")
    model.take(tmp_path)
    assert "holds no model" in model.reason.text()
    model.take(tmp_path / "elsewhere" / "my-colors")
    wait_for(lambda: not dialog.isVisible())
    assert worked.controller.layers[0].session.checkpoint is not None
    desk.keeper.look()
    assert desk.keeper.project is not None
    files = [entry.image.files[0].relative for entry in desk.keeper.project.manifest.images]
    assert files == ["../../picture.tif", "../renamed.tif"]


def test_who_comes_second_can_only_look_until_the_first_has_closed(
    saved: Path, worked: RelayPanel, viewer: Viewer, qtbot, wait_for: Wait
) -> None:
    viewer.layers.clear()
    wait_for(lambda: worked.sessions.keeper.project is None)
    first = Project.open(saved)
    assert not first.read_only
    before = (saved / "session.json").read_text()
    desk = open_session(worked, saved, 2, wait_for)
    assert desk.banner.isVisible()
    assert "study.relay is open in another window" in desk.banner.text.text()
    assert not desk.banner.take_over.isVisible()
    layers = worked.controller.layers[0]
    worked.controller.work_on(layers)
    assert layers.corrections is not None
    assert not layers.corrections.editable
    for section, part in (
        (worked.prediction, worked.prediction.predict_all),
        (worked.correction, worked.correction.undo),
        (worked.finetuning, worked.finetuning.start),
    ):
        assert section.isEnabled()
        assert not part.isEnabled()
        where = part.mapToGlobal(QPoint(3, 3))
        QApplication.sendEvent(part, QHelpEvent(QEvent.Type.ToolTip, QPoint(3, 3), where))
        assert "open in another window" in QToolTip.text(), section.title
    layers.prediction.opacity = 0.9
    desk.keeper.look()
    qtbot.wait(700)
    assert (saved / "session.json").read_text() == before
    first.close()
    desk.banner.look()
    assert desk.banner.text.text().startswith("The other window has closed.")
    click(qtbot, desk.banner.take_over)
    wait_for(lambda: len(worked.controller.layers) == 2 and not desk.keeper.restoring)
    worked.controller.work_on(worked.controller.layers[0])
    assert not desk.banner.isVisible()
    assert worked.prediction.predict_all.isEnabled()
    assert worked.controller.layers[0].corrections.editable


def test_a_session_that_cannot_be_saved_is_told_once_and_caught_up(
    saved: Path, worked: RelayPanel, qtbot, wait_for: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def hear(notification) -> None:
        said.append(notification.message)

    def write(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device")

    notification_manager.notification_ready.connect(hear)
    with monkeypatch.context() as full:
        full.setattr("napari_relay.sessions.formats.write_whole", write)
        worked.controller.layers[0].prediction.opacity = 0.6
        worked.sessions.keeper.look()
        qtbot.wait(1800)
    notification_manager.notification_ready.disconnect(hear)
    assert [text for text in said if "cannot be saved" in text] == said[:1] != []
    wait_for(lambda: read_manifest(saved).images[0].view.layers["prediction"].opacity == 0.6)


def test_what_is_open_when_the_window_closes_stays_in_the_session(
    saved: Path, worked: RelayPanel, viewer: Viewer, qtbot
) -> None:
    viewer.layers.clear()  # as napari does when a viewer is closed
    worked.controller.close()
    assert [entry.name for entry in read_manifest(saved).images] == ["picture.tif", "second.tif"]
    assert not Project.open(saved).read_only


def test_a_session_that_is_dropped_on_the_canvas_opens(
    saved: Path, worked: RelayPanel, viewer: Viewer, wait_for: Wait
) -> None:
    viewer.layers.clear()
    wait_for(lambda: worked.sessions.keeper.project is None)
    drop(worked, saved)
    wait_for(lambda: len(worked.controller.layers) == 2 and not worked.sessions.keeper.restoring)
    assert worked.sessions.part.name.text() == "Session: study"


_OPENED_FROM_THE_COMMAND_LINE = """
import sys
from napari.qt import get_qapp
from qtpy.QtCore import QTimer
from napari_relay.cli import main
from napari_relay.widgets.panel import RelayPanel

def look():
    (panel,) = [w for w in get_qapp().allWidgets() if isinstance(w, RelayPanel)] or [None]
    if panel and panel.controller.layers and not panel.sessions.keeper.restoring:
        timer.stop()
        names = [layers.base.name for layers in panel.controller.layers]
        print(panel.sessions.part.name.text(), *names, sep="|")
        panel.controller.viewer.close()

get_qapp()
timer = QTimer()
timer.timeout.connect(look)
timer.start(50)
sys.argv = ["napari-relay", "app", sys.argv[1]]
main()
"""


def test_a_session_that_the_command_names_opens(
    saved: Path, worked: RelayPanel, viewer: Viewer, wait_for: Wait
) -> None:
    viewer.layers.clear()
    wait_for(lambda: worked.sessions.keeper.project is None)
    arguments = [sys.executable, "-c", _OPENED_FROM_THE_COMMAND_LINE, str(saved)]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120)
    assert done.stdout.splitlines()[-1:] == ["Session: study|picture|second"], done.stderr
    assert done.returncode == 0
