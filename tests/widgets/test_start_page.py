"""The page that the app begins with, and what it remembers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from napari.viewer import Viewer
from qtpy.QtCore import Qt

from napari_relay.geometry import Window
from napari_relay.images.recent_images import RecentImage, recent_images, remember_image
from napari_relay.widgets.app import add_start_page
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.recent_recorder import resume
from napari_relay.widgets.start_page import RecentRow, StartPage
from tests.colors import save_untrained, write_picture

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return write_picture(tmp_path / "picture.tif", 600, 700)


@pytest.fixture
def page(panel: RelayPanel) -> Iterator[StartPage]:
    made = add_start_page(panel)
    assert made is not None
    yield made
    made.close_page()


def click(qtbot, button) -> None:
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)


def rows(page: StartPage) -> list[RecentRow]:
    found = [page.recent.itemAt(k).widget() for k in range(page.recent.count())]
    return [row for row in found if isinstance(row, RecentRow)]


def open_in(panel: RelayPanel, path: Path, wait_for: Wait) -> None:
    count = len(panel.controller.layers)
    panel.controller.open(path)
    wait_for(lambda: len(panel.controller.layers) == count + 1)


def test_the_page_covers_the_canvas_until_an_image_opens_and_after_the_last_one_closes(
    page: StartPage, panel: RelayPanel, viewer: Viewer, picture: Path, wait_for: Wait
) -> None:
    canvas = page.parentWidget()
    assert page.isVisible()
    assert page.size() == canvas.size()
    open_in(panel, picture, wait_for)
    assert not page.isVisible()
    viewer.layers.clear()
    assert page.isVisible()
    viewer.window.resize(900, 700)
    wait_for(lambda: page.size() == canvas.size())


def test_a_sample_opens_by_a_click(page: StartPage, panel: RelayPanel, qtbot, wait_for) -> None:
    from qtpy.QtWidgets import QPushButton

    (terrain,) = [b for b in page.findChildren(QPushButton) if b.text() == "Terrain"]
    click(qtbot, terrain)
    wait_for(lambda: panel.controller.session is not None)
    assert panel.controller.session.image.source.name == "synthetic-terrain.tif"


def test_an_opened_image_is_listed_with_its_folder_and_opens_by_a_click(
    page: StartPage, panel: RelayPanel, viewer: Viewer, picture: Path, qtbot, wait_for: Wait
) -> None:
    open_in(panel, picture, wait_for)
    viewer.layers.clear()
    (row,) = rows(page)
    assert row.open.text() == "picture.tif"
    assert row.toolTip() == str(picture)
    click(qtbot, row.open)
    wait_for(lambda: panel.controller.session is not None)


def test_an_image_that_is_gone_is_greyed_says_so_and_can_be_taken_off(
    page: StartPage, tmp_path: Path, qtbot
) -> None:
    remember_image(RecentImage((tmp_path / "gone.tif",)))
    page.refresh()
    (row,) = rows(page)
    assert not row.open.isEnabled()
    assert row.place.text().startswith("not found in")
    assert not page.resume.isVisible()
    click(qtbot, row.forget)
    assert rows(page) == []
    assert recent_images() == ()


def test_a_damaged_list_is_an_empty_page(page: StartPage, tmp_path: Path) -> None:
    remember_image(RecentImage((tmp_path / "a.tif",)))
    (record,) = tmp_path.rglob("recent-images.json")
    record.write_text("{")
    page.refresh()
    assert rows(page) == []
    assert page.open.isVisible()


def test_continue_brings_back_the_image_its_model_and_the_place(
    page: StartPage,
    panel: RelayPanel,
    viewer: Viewer,
    picture: Path,
    tmp_path: Path,
    qtbot,
    wait_for: Wait,
) -> None:
    open_in(panel, picture, wait_for)
    assert panel.controller.use_model(save_untrained(tmp_path / "colors"))
    place = Window(300, 200, 90, 90)
    panel.controller.look_at(place)
    viewer.layers.clear()
    click(qtbot, page.resume)
    wait_for(lambda: panel.controller.session is not None)
    session = panel.controller.session
    wait_for(lambda: session.checkpoint is not None)
    assert session.checkpoint.metadata.name == "colors"
    seen = panel.controller.view
    assert seen is not None
    assert seen.intersection(place) == place
    assert seen.height < 2 * place.height or seen.width < 2 * place.width
    assert not panel.controller.jobs.running


def test_continue_goes_to_the_version_that_was_in_use(
    panel: RelayPanel, viewer: Viewer, picture: Path, tmp_path: Path, wait_for: Wait
) -> None:
    open_in(panel, picture, wait_for)
    panel.controller.use_model(save_untrained(tmp_path / "colors"))
    session = panel.controller.session
    assert session is not None
    assert session.checkpoint is not None
    session.accept(session.checkpoint)
    viewer.layers.clear()
    (recent,) = recent_images()
    assert recent.version == 1
    resume(panel.controller, recent)
    wait_for(lambda: panel.controller.session is not None)
    assert panel.controller.session.version.number == 1


def test_where_a_person_is_when_the_window_closes_is_kept(
    panel: RelayPanel, picture: Path, wait_for: Wait
) -> None:
    open_in(panel, picture, wait_for)
    place = Window(10, 20, 60, 60)
    panel.controller.look_at(place)
    panel._recorder.close()
    (recent,) = recent_images()
    assert recent.view is not None
    assert recent.view.intersection(place) == place


def test_a_list_that_cannot_be_written_is_told_once(
    panel: RelayPanel, tmp_path: Path, picture: Path, wait_for: Wait, monkeypatch
) -> None:
    from napari.utils.notifications import notification_manager

    said: list[object] = []
    notification_manager.notification_ready.connect(said.append)
    data = tmp_path / "blocked"
    data.write_text("a file")
    monkeypatch.setattr("napari_relay.images.recent_images.data_folder", lambda: data)
    open_in(panel, picture, wait_for)
    panel.controller.look_at(Window(0, 0, 50, 50))
    panel._recorder.close()
    notification_manager.notification_ready.disconnect(said.append)
    assert len(said) == 1
    assert "recent images" in said[0].message  # type: ignore[attr-defined]
