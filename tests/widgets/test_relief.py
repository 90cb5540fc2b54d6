"""The Relief box of the panel, in a real viewer, over the terrain of the samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer

from napari_relay.images.relief import STYLES, with_relief
from napari_relay.samples import sample_terrain
from napari_relay.widgets.panel import RelayPanel

Wait = Callable[[Callable[[], bool]], None]


@pytest.fixture
def terrain(panel: RelayPanel, wait_for: Wait) -> RelayPanel:
    """A panel with the sample terrain open."""
    _open(panel, sample_terrain(), wait_for)
    return panel


def _open(panel: RelayPanel, path: Path, wait_for: Wait) -> None:
    before = len(panel.controller.layers)
    panel.controller.open(path)
    wait_for(lambda: len(panel.controller.layers) > before)
    wait_for(lambda: not panel.controller.jobs.running)


def _choose(panel: RelayPanel, label: str) -> None:
    box = panel.image.relief
    index = box.findText(label)
    assert index >= 0
    box.setCurrentIndex(index)
    box.activated.emit(index)  # what Qt emits when a person picks a line


def _names(viewer: Viewer) -> list[str]:
    return [layer.name for layer in viewer.layers]


def test_relief_is_offered_for_terrain_only(
    panel: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    assert not panel.image.relief.isVisible()
    tifffile.imwrite(tmp_path / "picture.tif", np.zeros((80, 90), np.uint8))
    _open(panel, tmp_path / "picture.tif", wait_for)
    assert not panel.image.relief.isVisible()
    _open(panel, sample_terrain(), wait_for)
    assert panel.image.relief.isVisible()
    assert panel.image.relief.currentText() == "Elevation"
    panel.controller.work_on(panel.controller.layers[0])
    assert not panel.image.relief.isVisible()


def test_each_style_takes_the_elevations_place_and_elevation_brings_it_back(
    terrain: RelayPanel, viewer: Viewer
) -> None:
    image, base = terrain.controller.session.image, viewer.layers[0]
    before = viewer.screenshot(flash=False)
    for style in STYLES:
        _choose(terrain, style.label)
        assert _names(viewer) == [f"synthetic-terrain: {style.label.lower()}", "synthetic-terrain"]
        shown = viewer.layers[0]
        assert (shown.visible, base.visible) == (True, False)
        np.testing.assert_array_equal(shown.extent.world, base.extent.world)
        after = viewer.screenshot(flash=False)
        assert (after != before).any(axis=-1).mean() > 0.2
        before = after
        pixels = with_relief(image, style.bands).read(image.window).pixels
        assert shown.rgb == (pixels.shape[2] == 3)
        if not shown.rgb:
            np.testing.assert_array_equal(np.asarray(shown.data), pixels[..., 0])
            assert tuple(shown.contrast_limits) == style.limits
    _choose(terrain, "Elevation")
    assert _names(viewer) == ["synthetic-terrain"]
    assert base.visible


def test_prediction_and_corrections_stay_above_and_the_brush_in_the_hand(
    terrain: RelayPanel, viewer: Viewer
) -> None:
    _choose(terrain, "Hillshade")
    assert terrain.controller.use_model("slope-vit-tiny")
    brush = terrain.controller.current.show_corrections()
    _choose(terrain, "Sky-view factor")
    assert _names(viewer)[:2] == ["synthetic-terrain: sky-view factor", "synthetic-terrain"]
    assert set(_names(viewer)[2:]) == {"Prediction", "Corrections"}
    assert viewer.layers.selection.active is brush


def test_a_relief_deleted_by_hand_gives_the_elevation_back_and_goes_with_its_image(
    terrain: RelayPanel, viewer: Viewer, wait_for: Wait
) -> None:
    _choose(terrain, "Slope")
    viewer.layers.remove(viewer.layers[0])
    assert terrain.image.relief.currentText() == "Elevation"
    assert viewer.layers[0].visible
    _choose(terrain, "Hillshade")
    viewer.layers.remove(viewer.layers["synthetic-terrain"])
    wait_for(lambda: not viewer.layers)
    assert not terrain.image.relief.isVisible()


def test_image_and_relief_can_be_deleted_together(
    terrain: RelayPanel, viewer: Viewer, qtbot
) -> None:
    _choose(terrain, "Slope")
    viewer.layers.selection = set(viewer.layers)
    viewer.layers.remove_selected()
    qtbot.wait(20)
    assert not viewer.layers


def test_each_image_keeps_its_own_style(
    terrain: RelayPanel, tmp_path: Path, wait_for: Wait
) -> None:
    _choose(terrain, "Slope")
    other = tmp_path / "other.tif"
    other.write_bytes(sample_terrain().read_bytes())
    _open(terrain, other, wait_for)
    assert terrain.image.relief.currentText() == "Elevation"
    terrain.controller.work_on(terrain.controller.layers[0])
    assert terrain.image.relief.currentText() == "Slope"


def test_a_relief_that_cannot_be_worked_out_is_a_sentence_and_changes_nothing(
    panel: RelayPanel, viewer: Viewer, tmp_path: Path, wait_for: Wait
) -> None:
    path = tmp_path / "nowhere.tif"
    tifffile.imwrite(  # degrees, at "latitude" 4000
        path,
        np.zeros((64, 64), np.float32),
        extratags=[
            (33550, "d", 3, (1e-4, 1e-4, 0.0), True),
            (33922, "d", 6, (0.0, 0.0, 0.0, 20.0, 4000.0, 0.0), True),
            (34735, "H", 8, (1, 1, 0, 1, 1024, 0, 1, 2), True),
        ],
    )
    _open(panel, path, wait_for)
    said = []
    notification_manager.notification_ready.connect(said.append)
    _choose(panel, "Slope")
    assert "nowhere.tif" in said[0].message
    assert "reproject" in said[0].message
    assert panel.image.relief.currentText() == "Elevation"
    assert _names(viewer) == ["nowhere"]
