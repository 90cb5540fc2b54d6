"""Masks and scores as tifffile, bioio, OpenSlide, ome-zarr and ome-zarr-models see them."""

from __future__ import annotations

from pathlib import Path

import bioio_ome_tiff
import numpy as np
import openslide
import pytest
import tifffile
import zarr
from bioio import BioImage
from ome_zarr.io import parse_url
from ome_zarr.reader import Node, Reader
from ome_zarr_models import open_ome_zarr
from ome_zarr_models.v05 import Image, ImageLabel

from napari_relay.exporting import RasterOptions, completed, export_labels, export_raster
from napari_relay.exporting.rasters.description import RasterDescription
from napari_relay.geometry import Window
from relay_tokens import UserError
from tests.exporting.rasters.predictions import CLASSES, SLIDE, Predicted, noise

# bioio's reader for OME-TIFF warns of an argument that it gives itself.
pytestmark = pytest.mark.filterwarnings("ignore:As of version 0.4.0, the parser:DeprecationWarning")


def zarr_node(path: Path) -> Node:
    location = parse_url(str(path))
    assert location is not None
    (node,) = list(Reader(location)())
    return node


def test_an_ome_tiff_has_levels_sizes_and_names(tmp_path: Path) -> None:
    labels = noise(1100, 1300)
    path = export_labels(labels, tmp_path / "mask.ome.tif", CLASSES, SLIDE)
    with tifffile.TiffFile(path) as tiff:
        (series,) = tiff.series
        assert tiff.is_ome
        for step, level in zip((1, 2, 4), series.levels, strict=True):
            np.testing.assert_array_equal(level.asarray(), labels[::step, ::step])
        described = tifffile.xml2dict(tiff.ome_metadata)["OME"]["Image"]["Description"]
    found = RasterDescription.from_text(described)
    assert found == RasterDescription("classes", ("classes",), CLASSES, SLIDE)
    image = BioImage(path, reader=bioio_ome_tiff.Reader)
    np.testing.assert_array_equal(image.data.squeeze(), labels)
    assert (image.physical_pixel_sizes.Y, image.physical_pixel_sizes.X) == (0.25, 0.5)


def test_channels_of_an_ome_tiff_are_classes(predicted: Predicted, tmp_path: Path) -> None:
    store, image = predicted(SLIDE)
    options = RasterOptions("probabilities")
    path = completed(export_raster(store, image, tmp_path / "p.ome.tif", options))
    seen = BioImage(path, reader=bioio_ome_tiff.Reader)
    assert list(map(str, seen.channel_names)) == list(store.classes.names)
    np.testing.assert_array_equal(seen.data.squeeze(), store.read_probabilities(image.window))
    with tifffile.TiffFile(path) as tiff:
        levels = tiff.series[0].levels
        assert [level.shape for level in levels] == [(3, 200, 1100), (3, 100, 550), (3, 50, 275)]
        expected = store.read_probabilities(image.window)[:, ::4, ::4]
        np.testing.assert_array_equal(levels[2].asarray(), expected)


@pytest.mark.parametrize("name", ["mask.tif", "mask.ome.tif"])
def test_openslide_sees_a_mask_in_its_colours(tmp_path: Path, name: str) -> None:
    labels = noise(1100, 1300)
    colors = [tuple(bytes.fromhex(color[1:])) for color in CLASSES.colors]
    path = export_labels(labels, tmp_path / name, CLASSES, SLIDE)
    with openslide.OpenSlide(path) as slide:
        assert slide.dimensions == (1300, 1100)
        assert slide.level_count == (1 if ".ome" in name else 3)
        assert float(slide.properties["openslide.mpp-x"]) == pytest.approx(0.5)
        assert float(slide.properties["openslide.mpp-y"]) == pytest.approx(0.25)
        seen = np.asarray(slide.read_region((500, 500), 0, (40, 30)))[..., :3]
    part = labels[500:530, 500:540]
    for label, color in enumerate(colors):
        assert (seen[part == label] == color).all()


def test_classes_in_ome_zarr_are_a_label_image(tmp_path: Path) -> None:
    labels = noise(1100, 1300)
    path = export_labels(labels, tmp_path / "mask.ome.zarr", CLASSES, SLIDE)
    label = open_ome_zarr(zarr.open_group(path, mode="r"))
    assert isinstance(label, ImageLabel)
    node = zarr_node(path)
    for step, level in zip((1, 2, 4), node.data, strict=True):
        np.testing.assert_array_equal(np.asarray(level), labels[::step, ::step])
    assert node.metadata["properties"][1] == {"class": "mound é"}
    rgb = [v / 255 for v in bytes.fromhex(CLASSES.colors[1][1:])]
    assert node.metadata["color"][1] == pytest.approx([*rgb, 1])
    assert node.metadata["color"][255][3] == 0
    scales = [level[0]["scale"] for level in node.metadata["coordinateTransformations"]]
    assert scales == [[0.25, 0.5], [0.5, 1.0], [1.0, 2.0]]


def test_scores_and_probabilities_in_ome_zarr_are_images(
    predicted: Predicted, tmp_path: Path
) -> None:
    store, image = predicted(SLIDE)
    for quantity, shape in (("confidence", (200, 1100)), ("probabilities", (3, 200, 1100))):
        path = tmp_path / f"{quantity}.ome.zarr"
        completed(export_raster(store, image, path, RasterOptions(quantity)))
        assert isinstance(open_ome_zarr(zarr.open_group(path, mode="r")), Image)
        node = zarr_node(path)
        assert node.data[0].shape == shape
        expected = np.asarray(getattr(store, quantity)[0])[..., :200, :1100]
        np.testing.assert_array_equal(np.asarray(node.data[0]), expected)
    assert node.metadata["channel_names"] == list(store.classes.names)


def test_a_window_in_ome_zarr_is_moved_by_its_origin(predicted: Predicted, tmp_path: Path) -> None:
    store, image = predicted(SLIDE)
    window = Window(40, 300, 100, 600)
    path = tmp_path / "w.ome.zarr"
    completed(export_raster(store, image, path, RasterOptions(window=window)))
    node = zarr_node(path)
    np.testing.assert_array_equal(np.asarray(node.data[0]), store.read_labels(window))
    moved = [level[1]["translation"] for level in node.metadata["coordinateTransformations"]]
    assert moved[0] == [40 * 0.25, 300 * 0.5]
    assert moved[1] == [40.5 * 0.25, 300.5 * 0.5]


def test_a_folder_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "a.ome.zarr").mkdir()
    with pytest.raises(UserError, match="exists already"):
        export_labels(noise(9, 9), tmp_path / "a.ome.zarr")
