"""Opening images that need something first: levels, a pixel size, a warning."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer
from qtpy.QtCore import Qt

from napari_relay.geometry import Window
from napari_relay.samples import sample_terrain
from napari_relay.widgets.panel import RelayPanel
from tests.colors import save_untrained, write_picture

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A picture of 3000 px a side without any smaller level."""
    return write_picture(tmp_path / "large.tif", 3000, 3000)


@pytest.fixture
def terrain(tmp_path: Path) -> Path:
    """Elevations from 100 to 200 m, 3000 px a side, without any smaller level."""
    path = tmp_path / "terrain.tif"
    ramp = np.linspace(100, 200, 3000, dtype=np.float32)
    tifffile.imwrite(path, np.broadcast_to(ramp, (3000, 3000)), tile=(256, 256))
    return path


def test_an_image_without_levels_can_be_looked_at_before_they_are_built(
    panel: RelayPanel, large: Path, wait_for: Wait, viewer: Viewer
) -> None:
    panel.controller.open(large)
    wait_for(lambda: len(viewer.layers) == 1)
    assert panel.controller.session is None
    wait_for(lambda: "Building" in panel.image.facts.text())
    wait_for(lambda: panel.controller.session is not None)
    assert "3\u2009000 × 3\u2009000 px" in panel.image.facts.text()
    assert len(viewer.layers[0].data) > 1
    # The middle stripe of the picture is light, whatever napari kept of the blank level.
    shown = viewer.screenshot(flash=False)
    rows, cols = shown.shape[:2]
    assert shown[rows // 2, cols // 2, :3].min() > 150


def test_what_is_to_follow_the_opening_waits_for_the_levels(
    panel: RelayPanel, large: Path, wait_for: Wait
) -> None:
    sessions = []
    panel.controller.open(large, lambda: sessions.append(panel.controller.session))
    wait_for(lambda: bool(sessions))
    assert sessions[0] is not None


def test_terrain_without_levels_gets_its_contrast_from_what_is_built(
    panel: RelayPanel, terrain: Path, wait_for: Wait, viewer: Viewer
) -> None:
    panel.controller.open(terrain)
    wait_for(lambda: panel.controller.session is not None)
    low, high = viewer.layers[0].contrast_limits
    assert 100 < low < 110
    assert 190 < high < 200


def test_a_layer_deleted_while_its_levels_are_built_leaves_nothing_behind(
    panel: RelayPanel, large: Path, wait_for: Wait, viewer: Viewer
) -> None:
    panel.controller.open(large)
    wait_for(lambda: len(viewer.layers) == 1)
    viewer.layers.clear()
    wait_for(lambda: not panel.controller.building)
    assert panel.controller.session is None
    panel.controller.open(large)
    wait_for(lambda: panel.controller.session is not None)


def test_an_image_without_a_pixel_size_asks_for_one_and_remembers_it(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait, viewer: Viewer, qtbot
) -> None:
    path = tmp_path / "plain.tif"
    tifffile.imwrite(path, np.zeros((90, 80, 3), np.uint8), photometric="rgb", metadata=None)
    panel.controller.open(path)
    wait_for(lambda: panel.controller.session is not None)
    assert panel.image.pixel_size.isVisible()
    panel.image.pixel_size.side.setValue(0.25)
    qtbot.mouseClick(panel.image.pixel_size.take, Qt.MouseButton.LeftButton)
    assert not panel.image.pixel_size.isVisible()
    assert viewer.layers[0].units == ("micrometer", "micrometer")
    assert tuple(viewer.layers[0].scale) == (0.25, 0.25)
    viewer.layers.clear()
    panel.controller.open(path)
    wait_for(lambda: panel.controller.session is not None)
    assert panel.controller.session.image.pixel_size == (0.25, 0.25)
    assert "0.25 µm a pixel" in panel.image.facts.text()


def test_an_image_whose_end_is_missing_opens_with_a_warning(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    whole = write_picture(tmp_path / "whole.tif", 600, 600).read_bytes()
    cut = tmp_path / "cut.tif"
    cut.write_bytes(whole[: len(whole) * 9 // 10])
    said = []
    notification_manager.notification_ready.connect(said.append)
    panel.controller.open(cut)
    wait_for(lambda: panel.controller.session is not None)
    assert [n.severity.value for n in said] == ["warning"]
    assert "cut.tif" in said[0].message


def test_glass_is_skipped_unless_the_person_wants_it_predicted(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait, qtbot
) -> None:
    slide = tmp_path / "slide.tif"
    pixels = np.full((600, 900, 3), 240, np.uint8)
    pixels[:, :200] = np.random.default_rng(0).integers(60, 200, (600, 200, 3))
    options = {"resolution": (20_000, 20_000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(slide, pixels, photometric="rgb", tile=(128, 128), **options)
    panel.controller.open(slide)
    wait_for(lambda: panel.controller.session is not None)
    panel.controller.use_model(save_untrained(tmp_path / "model"))
    predict = panel.prediction
    assert predict.skip_glass.isVisible()
    assert predict.skip_glass.isChecked()
    store = panel.controller.session.store
    qtbot.wait(200)  # a person sees the buttons first
    qtbot.mouseClick(predict.predict_all, Qt.MouseButton.LeftButton)
    wait_for(lambda: not panel.controller.jobs.running)
    assert store.skipped.any()
    assert "skipped" in predict.status.text()
    assert (store.read_labels(Window(0, 700, 600, 200)) == 255).all()
    predict.skip_glass.setChecked(False)
    qtbot.mouseClick(predict.predict_all, Qt.MouseButton.LeftButton)
    wait_for(lambda: not panel.controller.jobs.running)
    assert store.finished.all()


def test_a_slide_and_a_terrain_can_be_open_together(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait, viewer: Viewer
) -> None:
    panel.controller.open(write_picture(tmp_path / "slide.tif"))
    wait_for(lambda: len(panel.controller.layers) == 1)
    panel.controller.open(sample_terrain())
    wait_for(lambda: len(panel.controller.layers) == 2)
    panel.image.relief.activated.emit(1)
    assert [str(u) for u in viewer.layers[0].units] == ["micrometer", "micrometer"]
    assert viewer.screenshot(flash=False).size
