from __future__ import annotations

import json
import resource
import tracemalloc
from pathlib import Path

import dask.array as da
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from napari_relay.exporting import export_labels, export_mask
from napari_relay.exporting.placement import Placement
from relay_tokens import UserError
from tests.exporting.rasters.predictions import CLASSES, UTM, Predicted, blobs


def leftovers(folder: Path) -> list[str]:
    return [p.name for p in folder.iterdir() if p.name.startswith(".")]


def test_a_mask_is_a_pyramid_without_padding_and_unpredicted_places_are_255(
    predicted: Predicted,
    tmp_path: Path,
) -> None:
    store, image = predicted()
    path = export_mask(store, image, tmp_path / "mask.tif")
    expected = store.read_labels(image.window)
    assert (expected[:, :900] == blobs(200, 900)).all()
    assert (expected[:, 960:] == 255).all()
    with tifffile.TiffFile(path) as tiff:
        np.testing.assert_array_equal(tiff.pages[0].asarray(), expected)
        np.testing.assert_array_equal(tiff.pages[1].asarray(), expected[::2, ::2])
        assert tiff.pages[1].is_reduced
        assert tiff.pages[0].is_tiled


@settings(max_examples=10, deadline=None)
@given(height=st.integers(1, 1200), width=st.integers(1, 1200), lazy=st.booleans())
def test_labels_of_any_size_come_back_unchanged(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, lazy: bool
) -> None:
    labels = blobs(height, width)
    folder = tmp_path_factory.mktemp("labels")
    array = da.from_array(labels, chunks=(300, 400)) if lazy else labels
    for name in ("a.tif", "a.ome.tif", "a.png"):
        path = export_labels(array, folder / name, CLASSES)
        read = np.asarray(Image.open(path)) if name.endswith("png") else tifffile.imread(path)
        np.testing.assert_array_equal(read, labels)


def test_classes_have_their_colours_and_names(tmp_path: Path) -> None:
    labels = blobs(100, 100)
    with tifffile.TiffFile(export_labels(labels, tmp_path / "a.tif", CLASSES)) as tiff:
        page = tiff.pages[0]
        assert [tuple(page.colormap[:, k] // 257) for k in range(3)] == [
            tuple(bytes.fromhex(color[1:])) for color in CLASSES.colors
        ]
        described = json.loads(page.description)
    assert [c["name"] for c in described["classes"]] == ["soil", "mound é", "moat"]
    png = Image.open(export_labels(labels, tmp_path / "a.png", CLASSES)).convert("RGBA")
    assert png.getpixel((0, 0)) == (*bytes.fromhex(CLASSES.colors[0][1:]), 255)


def test_a_mask_with_a_crs_is_a_geotiff(predicted: Predicted, tmp_path: Path) -> None:
    store, image = predicted(UTM)
    with tifffile.TiffFile(export_mask(store, image, tmp_path / "mask.tif")) as tiff:
        page = tiff.pages[0]
        geo = page.geotiff_tags
        assert page.tags["GDAL_NODATA"].value == "255"
    assert geo["ProjectedCSTypeGeoKey"] == 32648
    assert geo["GTRasterTypeGeoKey"] == 1
    assert geo["ModelPixelScale"] == [0.5, 0.5, 0.0]
    assert geo["ModelTiepoint"] == [0, 0, 0, 400_000, 1_500_000, 0]


def test_rotated_and_geographic_masks_keep_their_place(tmp_path: Path) -> None:
    affine = (1e-5, 2e-6, 103.8, 3e-6, -1e-5, 13.4)
    place = Placement((1e-5, 1e-5), "degree", "EPSG:4326", affine)
    path = export_labels(blobs(50, 50), tmp_path / "a.tif", CLASSES, place)
    with tifffile.TiffFile(path) as tiff:
        geo = tiff.pages[0].geotiff_tags
    assert geo["GeographicTypeGeoKey"] == 4326
    matrix = np.array(geo["ModelTransformation"]).reshape(4, 4)
    np.testing.assert_allclose(matrix[:2, [0, 1, 3]].ravel(), affine)


def test_a_mask_of_a_slide_keeps_its_pixel_size(tmp_path: Path) -> None:
    place = Placement((0.25, 0.5), "um")
    labels = blobs(600, 700)
    with tifffile.TiffFile(export_labels(labels, tmp_path / "a.tif", CLASSES, place)) as tiff:
        assert tiff.pages[0].get_resolution("MICROMETER") == pytest.approx((2, 4))
        assert tiff.pages[1].get_resolution("MICROMETER") == pytest.approx((1, 2))
    with tifffile.TiffFile(export_labels(labels, tmp_path / "a.ome.tif", CLASSES, place)) as tiff:
        assert 'PhysicalSizeX="0.5"' in tiff.ome_metadata
        assert 'PhysicalSizeY="0.25"' in tiff.ome_metadata
        assert "mound" in tiff.ome_metadata
        assert len(tiff.series[0].levels) == 2


def test_huge_labels_are_written_in_bounded_memory(tmp_path: Path) -> None:
    huge = np.broadcast_to(np.uint8(1), (8_000, 15_000))
    tracemalloc.start()
    path = export_labels(huge, tmp_path / "a.tif", CLASSES)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 0.4 * huge.size
    with tifffile.TiffFile(path) as tiff:
        assert tiff.pages[0].shape == (8_000, 15_000)


@pytest.mark.parametrize("name", ["mask.jpg", "mask", "mask.shp"])
def test_other_suffixes_are_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        UserError, match=rf"{name} cannot be written .*\.tif, \.ome\.tif, \.ome\.zarr or \.png"
    ):
        export_labels(blobs(9, 9), tmp_path / name)


def test_a_png_that_is_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"PNG is for up to 8192; .*\.tif"):
        export_labels(np.zeros((1, 8193), np.uint8), tmp_path / "a.png")


def test_a_folder_that_is_missing_or_read_only_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="choose a folder that exists"):
        export_labels(blobs(9, 9), tmp_path / "nowhere" / "a.tif")


def test_a_file_where_a_folder_should_be_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("no folder")
    with pytest.raises(UserError, match="choose a folder"):
        export_labels(blobs(9, 9), tmp_path / "plain" / "a.tif")


def test_no_room_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = export_labels(blobs(30, 30), tmp_path / "a.tif", CLASSES)
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3000, limits[1]))
    noise = np.random.default_rng(0).integers(0, 3, (900, 900)).astype(np.uint8)
    try:
        with pytest.raises(UserError, match=r"a\.tif cannot be written .*free some space"):
            export_labels(noise, path, CLASSES)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == old
    assert not leftovers(tmp_path)
