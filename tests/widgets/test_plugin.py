"""What napari finds through the manifest: reader, writer, samples, panel."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import tifffile
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer

from napari_relay.widgets.image_layer import pyramid_of
from napari_relay.widgets.panel import RelayPanel
from tests.colors import write_picture

PLUGIN = "napari-relay"


@pytest.fixture
def viewer(make_napari_viewer) -> Viewer:
    return make_napari_viewer()


def test_the_reader_opens_an_image_with_its_pixel_size(viewer: Viewer, tmp_path: Path) -> None:
    (layer,) = viewer.open(write_picture(tmp_path / "picture.tif"), plugin=PLUGIN)
    image = pyramid_of(layer)
    assert image is not None
    assert layer.rgb
    assert tuple(layer.scale) == (0.5, 0.5)


def test_a_large_image_is_shown_as_a_pyramid_whose_levels_fit_exactly(
    viewer: Viewer, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (1501, 1207), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "odd.tif", pixels, tile=(256, 256))
    (layer,) = viewer.open(tmp_path / "odd.tif", plugin=PLUGIN)
    assert layer.multiscale
    heights = [level.shape[0] for level in layer.data]
    assert all(a == 2 * b for a, b in pairwise(heights))
    assert np.array_equal(np.asarray(layer.data[0][:1501, :1207]), pixels)


def test_a_file_that_cannot_be_opened_is_told_in_one_sentence_and_adds_no_layer(
    viewer: Viewer, tmp_path: Path
) -> None:
    said = []
    notification_manager.notification_ready.connect(said.append)
    (tmp_path / "broken.tif").write_bytes(b"II*\0 and no more")
    viewer.open(tmp_path / "broken.tif", plugin=PLUGIN)
    assert len(viewer.layers) == 0
    assert "broken.tif" in said[0].message
    assert "\n" not in said[0].message


@pytest.mark.parametrize(
    ("sample", "unit"), [("cmu-1-small-region", "micrometer"), ("synthetic-terrain", "meter")]
)
def test_the_samples_open_in_their_own_unit(viewer: Viewer, sample: str, unit: str) -> None:
    (layer,) = viewer.open_sample(PLUGIN, sample)
    assert str(layer.units[0]) == unit


def test_terrain_is_stretched_between_its_own_heights(viewer: Viewer) -> None:
    (layer,) = viewer.open_sample(PLUGIN, "synthetic-terrain")
    low, high = layer.contrast_limits
    assert 120 <= low < high <= 185


def test_the_panel_is_found_by_its_name(viewer: Viewer) -> None:
    _, panel = viewer.window.add_plugin_dock_widget(PLUGIN, "Relay")
    assert isinstance(panel, RelayPanel)
    panel.controller.close()


def test_a_labels_layer_is_saved_as_a_class_mask(viewer: Viewer, tmp_path: Path) -> None:
    labels = (np.arange(60 * 70).reshape(60, 70) % 5).astype(np.uint8)
    layer = viewer.add_labels(labels)
    assert layer.save(str(tmp_path / "mask.tif"), plugin=PLUGIN) == [str(tmp_path / "mask.tif")]
    assert np.array_equal(tifffile.imread(tmp_path / "mask.tif"), labels)
