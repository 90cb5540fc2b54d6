"""Our own rasters are recognised, and opened with their values."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from napari_relay.exporting import RasterOptions, completed, export_labels, export_raster
from napari_relay.exporting.placement import Placement
from napari_relay.exporting.rasters.reading import describe_raster, open_values
from tests.exporting.rasters.predictions import CLASSES, ROTATED, Predicted, noise


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.ome.zarr", "a.png"])
def test_a_mask_comes_back_with_its_numbers_names_and_place(tmp_path: Path, name: str) -> None:
    labels = noise(700, 900)
    path = export_labels(labels, tmp_path / name, CLASSES, ROTATED)
    described = describe_raster(path)
    assert described is not None
    assert described.classes == CLASSES
    image = open_values(path, described)
    np.testing.assert_array_equal(image.read(image.window).pixels[..., 0], labels)
    assert Placement.of(image) == ROTATED
    assert not image.read(image.window).valid[labels == 255].any()


def test_probabilities_come_back_with_their_bands(predicted: Predicted, tmp_path: Path) -> None:
    store, image = predicted(ROTATED)
    for name in ("p.tif", "p.ome.tif", "p.ome.zarr"):
        path = tmp_path / name
        completed(export_raster(store, image, path, RasterOptions("probabilities")))
        described = describe_raster(path)
        assert described is not None
        read = open_values(path, described)
        assert read.bands == store.classes.names
        expected = store.read_probabilities(image.window)
        np.testing.assert_array_equal(np.moveaxis(read.read(read.window).pixels, -1, 0), expected)


def test_other_files_are_not_taken_for_ours(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "other.tif", noise(9, 9))
    Image.fromarray(noise(9, 9)).save(tmp_path / "other.png")
    (tmp_path / "broken.tif").write_bytes(b"II*\0 and no more")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "empty.zarr").mkdir()
    for name in ("other.tif", "other.png", "broken.tif", "broken.png", "empty.zarr", "none.tif"):
        assert describe_raster(tmp_path / name) is None
    assert describe_raster(tmp_path / "text.txt") is None
