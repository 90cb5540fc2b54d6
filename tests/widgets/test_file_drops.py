"""Files that are dropped on the canvas."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer

from napari_relay.widgets.app import add_start_page
from napari_relay.widgets.panel import RelayPanel
from tests.colors import save_untrained, write_picture
from tests.widgets.file_drop import drop

Wait = Callable[[Callable[[], bool]], None]


def test_a_dropped_image_opens_in_the_background(
    panel: RelayPanel, viewer: Viewer, tmp_path: Path, wait_for: Wait
) -> None:
    path = write_picture(tmp_path / "large.tif", 3000, 3000)
    drop(panel, path)
    assert panel.controller.opener.opening
    assert not viewer.layers
    wait_for(lambda: panel.controller.session is not None)
    assert panel.controller.session.image.source == path


def test_several_dropped_images_open_one_after_the_other(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    paths = [write_picture(tmp_path / f"{k}.tif") for k in range(3)]
    drop(panel, *paths)
    wait_for(lambda: len(panel.controller.layers) == 3)
    assert [one.session.image.source for one in panel.controller.layers] == paths


def test_the_start_page_takes_drops_too(panel: RelayPanel, tmp_path: Path, wait_for: Wait) -> None:
    page = add_start_page(panel)
    assert page is not None
    drop(panel, write_picture(tmp_path / "picture.tif"))
    wait_for(lambda: panel.controller.session is not None)
    assert not page.isVisible()
    page.close_page()


def test_a_file_of_no_known_kind_is_one_sentence_and_the_others_open(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    said: list[object] = []
    notification_manager.notification_ready.connect(said.append)
    (tmp_path / "notes.xyz123").write_text("no image")
    drop(panel, tmp_path / "notes.xyz123", write_picture(tmp_path / "picture.tif"))
    wait_for(lambda: panel.controller.session is not None)
    drop(panel, tmp_path / "notes.xyz123")
    notification_manager.notification_ready.disconnect(said.append)
    assert len(said) == 2
    assert all("notes.xyz123 cannot be opened" in one.message for one in said)  # type: ignore[attr-defined]


def test_what_another_reader_opens_is_left_to_napari(
    panel: RelayPanel, viewer: Viewer, tmp_path: Path
) -> None:
    np.save(tmp_path / "array.npy", np.zeros((8, 8)))
    drop(panel, tmp_path / "array.npy")
    assert [layer.name for layer in viewer.layers] == ["array"]
    assert not panel.controller.layers


def test_a_prediction_goes_on_while_another_image_is_dropped(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    drop(panel, write_picture(tmp_path / "one.tif", 900, 900))
    wait_for(lambda: panel.controller.session is not None)
    first = panel.controller.session
    panel.controller.use_model(save_untrained(tmp_path / "colors"))
    panel.controller.predict_all()
    wait_for(lambda: bool(first.store.finished.any()))
    drop(panel, write_picture(tmp_path / "two.tif"))
    wait_for(lambda: len(panel.controller.layers) == 2)
    assert panel.controller.session is not first
    wait_for(lambda: not panel.controller.jobs.running)
    assert first.store.finished.all()
