"""Layers saved and opened through the manifest: rasters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
import zarr
from napari.layers import Image, Labels
from napari.plugins.io import save_layers
from napari.viewer import Viewer
from ome_zarr_models import open_ome_zarr
from ome_zarr_models.v05 import ImageLabel
from qtpy.QtCore import Qt

from napari_relay.exporting import export_labels
from napari_relay.exporting.placement import Placement
from napari_relay.exporting.rasters.reading import describe_raster
from napari_relay.widgets.image_layer import pyramid_of
from napari_relay.widgets.panel import RelayPanel
from relay_tokens import ClassSchema, UserError

PLUGIN = "napari-relay"
CLASSES = ClassSchema.from_names(["soil", "mound", "moat"])
UTM = Placement((0.5, 0.5), "m", "EPSG:32648", (0.5, 0.0, 400_000.0, 0.0, -0.5, 1_500_000.0))
Wait = Callable[[Callable[[], bool]], None]


def stripes(height: int, width: int) -> np.ndarray:
    rows, cols = np.mgrid[:height, :width]
    return ((rows // 40 + cols // 70) % 3).astype(np.uint8)


def terrain(path: Path, pixels: np.ndarray) -> Path:
    profile = {"driver": "GTiff", "count": 1, "dtype": "float32", "crs": UTM.crs}
    shape = {"height": pixels.shape[0], "width": pixels.shape[1]}
    with rasterio.open(path, "w", transform=rasterio.Affine(*UTM.affine), **profile, **shape) as f:
        f.write(pixels.astype(np.float32), 1)
    return path


def test_the_app_s_layers_are_saved_with_names_and_place(
    ready: RelayPanel, viewer: Viewer, tmp_path: Path, wait_for: Wait, qtbot
) -> None:
    controller = ready.controller
    qtbot.mouseClick(ready.prediction.predict_all, Qt.MouseButton.LeftButton)
    wait_for(lambda: not controller.jobs.running)
    layers, store = controller.current, controller.session.store
    expected = store.read_labels(controller.session.image.window)
    viewer.layers.selection = {layers.prediction}
    for name in ("a.tif", "a.ome.tif", "a.ome.zarr", "a.png"):
        path = tmp_path / name
        assert viewer.layers.save(str(path), selected=True, plugin=PLUGIN) == [str(path)]
        described = describe_raster(path)
        assert described.classes.names == store.classes.names
        assert described.classes.colors == store.classes.colors
        assert described.placement == Placement.of(controller.session.image)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), expected)
    assert isinstance(open_ome_zarr(zarr.open_group(tmp_path / "a.ome.zarr")), ImageLabel)

    layers.show_score("entropy")
    assert save_layers(str(tmp_path / "e.ome.zarr"), [layers.score]) == [
        str(tmp_path / "e.ome.zarr")
    ]
    described = describe_raster(tmp_path / "e.ome.zarr")
    assert (described.quantity, described.placement.pixel_size) == ("entropy", (0.5, 0.5))

    corrections = layers.show_corrections()
    corrections.data[10:20, 10:30] = np.full((10, 20), 2, np.uint8)
    assert corrections.save(str(tmp_path / "c.tif"), plugin=PLUGIN)
    saved = tifffile.imread(tmp_path / "c.tif")
    assert (saved[10:20, 10:30] == 1).all()
    assert (np.delete(saved, slice(10, 20), axis=0) == 255).all()
    assert describe_raster(tmp_path / "c.tif").classes.names == store.classes.names

    with pytest.raises(UserError, match=r"is an image and not a score of napari-relay"):
        layers.base.save(str(tmp_path / "i.ome.zarr"), plugin=PLUGIN)
    assert not (tmp_path / "i.ome.zarr").exists()


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.ome.zarr", "a.png"])
def test_a_mask_of_ours_opens_as_labels_and_goes_through_unchanged(
    make_napari_viewer, tmp_path: Path, name: str
) -> None:
    viewer, labels = make_napari_viewer(), stripes(701, 903)
    export_labels(labels, tmp_path / name, CLASSES, UTM)
    (layer,) = viewer.open(tmp_path / name, plugin=PLUGIN)
    assert isinstance(layer, Labels)
    assert layer.name == "a"
    np.testing.assert_array_equal(_level0(layer)[:701, :903], labels)
    assert (_level0(layer)[701:] == 255).all()
    assert tuple(layer.scale) == (0.5, 0.5)
    assert str(layer.units[0]) == "meter"
    assert list(layer.features["class"]) == [*CLASSES.names, "not predicted"]
    red, green, blue = (v / 255 for v in bytes.fromhex(CLASSES.colors[1][1:]))
    np.testing.assert_allclose(layer.get_color(1)[:3], (red, green, blue), atol=1e-3)
    assert layer.get_color(255)[3] == 0

    (again,) = viewer.layers.save(str(tmp_path / "again.tif"), plugin=PLUGIN)
    with rasterio.open(again) as dataset:
        np.testing.assert_array_equal(dataset.read(1), labels)
        assert dataset.crs.to_epsg() == 32648
        assert dataset.transform[:6] == UTM.affine
    assert describe_raster(Path(again)).classes == CLASSES


def test_labels_that_a_person_drew_lie_where_the_image_lies(
    make_napari_viewer, tmp_path: Path
) -> None:
    viewer, labels = make_napari_viewer(), stripes(90, 80)
    (base,) = viewer.open(terrain(tmp_path / "dtm.tif", labels), plugin=PLUGIN)
    assert pyramid_of(base) is not None
    drawn = viewer.add_labels(labels.astype(np.int32), scale=base.scale, units=base.units)
    assert drawn.save(str(tmp_path / "drawn.tif"), plugin=PLUGIN)
    with rasterio.open(tmp_path / "drawn.tif") as dataset:
        assert dataset.crs.to_epsg() == 32648
        assert dataset.transform[:6] == UTM.affine
    moved = viewer.add_labels(labels, scale=base.scale, translate=(5, 0), units=base.units)
    assert moved.save(str(tmp_path / "moved.tif"), plugin=PLUGIN)
    described = describe_raster(tmp_path / "moved.tif")
    assert (described.placement.crs, described.placement.pixel_size) == (None, (0.5, 0.5))


def test_napari_s_own_writer_still_saves_images(make_napari_viewer, tmp_path: Path) -> None:
    viewer = make_napari_viewer()
    layer = viewer.add_image(stripes(9, 9))
    assert layer.save(str(tmp_path / "i.tif"))
    assert describe_raster(tmp_path / "i.tif") is None
    assert isinstance(viewer.open(tmp_path / "i.tif", plugin=PLUGIN)[0], Image)


def test_labels_in_three_dimensions_and_too_many_are_refused(
    make_napari_viewer, tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    volume = viewer.add_labels(np.zeros((3, 9, 9), np.uint8))
    with pytest.raises(UserError, match="3 dimensions and a mask has two"):
        volume.save(str(tmp_path / "a.tif"), plugin=PLUGIN)
    objects = viewer.add_labels(np.arange(400).reshape(20, 20))
    with pytest.raises(UserError, match="label 399 does not fit"):
        objects.save(str(tmp_path / "a.tif"), plugin=PLUGIN)
    assert not list(tmp_path.glob("a.tif*"))


def _level0(layer: Labels) -> np.ndarray:
    return np.asarray(layer.data[0] if layer.multiscale else layer.data)
