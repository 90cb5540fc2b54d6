"""Masks and scores as rasterio, GDAL and rio-cogeo see them."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.io import DatasetReader
from rio_cogeo.cogeo import cog_validate

from napari_relay.exporting import RasterOptions, completed, export_labels, export_raster
from napari_relay.exporting.placement import Placement
from napari_relay.geometry import Window
from relay_tokens import ClassSchema, UserError
from tests.exporting.rasters.predictions import CLASSES, PLACES, UTM, Predicted, noise

LAEA = CRS.from_proj4("+proj=laea +lat_0=12 +lon_0=104 +x_0=500 +ellps=WGS84 +units=m").to_wkt()


def position_error(dataset: DatasetReader, place: Placement, points: NDArray[np.float64]) -> float:
    """Pixels by which GDAL puts corners ``(row, col)`` beside where they belong."""
    assert place.affine is not None
    a, b, c, d, e, f = place.affine
    rows, cols = points.T
    x, y = a * cols + b * rows + c, d * cols + e * rows + f
    found = np.reshape(~dataset.transform, (3, 3)) @ [x, y, np.ones_like(x)]
    return float(np.abs(found[1::-1].T - points).max())


@pytest.mark.parametrize("name", PLACES)
def test_a_mask_is_a_valid_cog_and_comes_back_pixel_for_pixel_at_its_place(
    tmp_path: Path, name: str
) -> None:
    labels, place = noise(1100, 1300), PLACES[name]
    path = export_labels(labels, tmp_path / "mask.tif", CLASSES, place)
    assert cog_validate(path, strict=True, quiet=True) == (True, [], [])
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), labels)
        assert dataset.crs == CRS.from_user_input(place.crs)
        assert dataset.nodata == 255
        assert dataset.overviews(1) == [2, 4]
        corners = np.array([(0, 0), (1100, 0), (0, 1300), (1100, 1300)], float)
        assert position_error(dataset, place, corners) < 0.01
        rows, cols = np.random.default_rng(1).integers(0, 1100, (2, 50))
        places = zip(*dataset.xy(rows, cols), strict=True)
        sampled = [int(value[0]) for value in dataset.sample(places)]
    np.testing.assert_array_equal(sampled, labels[rows, cols])
    for level, step in enumerate((2, 4)):
        with rasterio.open(path, OVERVIEW_LEVEL=level) as overview:
            np.testing.assert_array_equal(overview.read(1), labels[::step, ::step])


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 700),
    width=st.integers(2, 700),  # of a single column GDAL says that no level is coarser
    angle=st.floats(0, 2 * math.pi),
    size=st.tuples(st.floats(0.01, 50), st.floats(0.01, 50)),
    south_up=st.booleans(),
    corner=st.tuples(st.floats(166_000, 834_000), st.floats(0, 9_300_000)),
)
def test_any_affine_and_size_come_back_to_a_hundredth_of_a_pixel(
    tmp_path_factory: pytest.TempPathFactory,
    height: int,
    width: int,
    angle: float,
    size: tuple[float, float],
    south_up: bool,
    corner: tuple[float, float],
) -> None:
    rows, cols = size
    cos, sin, flip = math.cos(angle), math.sin(angle), 1 if south_up else -1
    affine = (cols * cos, -flip * rows * sin, corner[0], cols * sin, flip * rows * cos, corner[1])
    place = Placement(size, "m", "EPSG:32648", affine)
    labels = noise(height, width)
    path = export_labels(labels, tmp_path_factory.mktemp("cog") / "a.tif", CLASSES, place)
    assert cog_validate(path, strict=True, quiet=True)[0]
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), labels)
        corners = np.array([(0, 0), (height, 0), (0, width), (height, width)], float)
        assert position_error(dataset, place, corners) < 0.01


def test_gdal_knows_names_colours_and_categories(tmp_path: Path) -> None:
    path = export_labels(noise(40, 60), tmp_path / "mask.tif", CLASSES, UTM)
    rasterio.shutil.copy(path, tmp_path / "seen.vrt", driver="VRT")
    seen = (tmp_path / "seen.vrt").read_text()
    assert "<Category>mound é</Category>" in seen
    assert "<F>mound é</F>" in seen
    with rasterio.open(path) as dataset:
        assert dataset.tags()["CLASS_1"] == "mound é"
        assert dataset.descriptions == ("classes",)
        colors = [dataset.colormap(1)[k][:3] for k in range(3)]
    assert colors == [tuple(bytes.fromhex(color[1:])) for color in CLASSES.colors]


def test_a_mask_is_complete_without_the_file_beside_it(tmp_path: Path) -> None:
    path = export_labels(noise(40, 60), tmp_path / "mask.tif", CLASSES, UTM)
    (tmp_path / "mask.tif.aux.xml").unlink()
    with rasterio.open(path) as dataset:
        assert dataset.tags()["CLASS_2"] == "moat"
        assert dataset.colormap(1)[2][:3] == tuple(bytes.fromhex(CLASSES.colors[2][1:]))


def test_what_was_beside_another_raster_of_that_name_goes(
    predicted: Predicted, tmp_path: Path
) -> None:
    store, image = predicted(UTM)
    path = completed(export_raster(store, image, tmp_path / "a.tif"))
    assert (tmp_path / "a.tif.aux.xml").exists()
    completed(export_raster(store, image, path, RasterOptions("confidence")))
    assert not (tmp_path / "a.tif.aux.xml").exists()


def test_a_system_without_an_epsg_code_survives(tmp_path: Path) -> None:
    place = Placement((2.0, 2.0), "m", LAEA, (2.0, 0.0, -700.0, 0.0, -2.0, 900.0))
    path = export_labels(noise(40, 60), tmp_path / "mask.tif", CLASSES, place)
    with rasterio.open(path) as dataset:
        assert dataset.crs.to_epsg() is None
        assert dataset.crs.to_dict()["proj"] == "laea"
        assert dataset.crs.to_dict()["lat_0"] == 12
        assert dataset.crs.to_dict()["x_0"] == 500
        assert dataset.transform[:6] == place.affine


def test_without_rasterio_an_epsg_code_is_written_and_anything_else_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    for place in PLACES.values():
        with rasterio.open(export_labels(noise(9, 9), tmp_path / "a.tif", None, place)) as dataset:
            assert dataset.crs == CRS.from_user_input(place.crs)
    wkt = Placement((2.0, 2.0), "m", LAEA, (2.0, 0.0, 0.0, 0.0, -2.0, 0.0))
    with pytest.raises(UserError, match=r'pip install "napari-relay\[geo\]"'):
        export_labels(noise(9, 9), tmp_path / "a.tif", None, wkt)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_mask_of_an_image_without_a_place_has_none(tmp_path: Path) -> None:
    path = export_labels(noise(600, 600), tmp_path / "mask.tif", CLASSES)
    assert cog_validate(path, strict=True, quiet=True)[0]
    with rasterio.open(path) as dataset:
        assert dataset.crs is None
        assert dataset.transform.is_identity


def test_an_affine_without_a_system_is_kept(tmp_path: Path) -> None:
    affine = (2.0, 0.0, 70.0, 0.0, -2.0, 90.0)
    path = export_labels(noise(60, 60), tmp_path / "a.tif", CLASSES, Placement(affine=affine))
    with rasterio.open(path) as dataset:
        assert dataset.transform[:6] == affine
        assert dataset.crs is None


@pytest.mark.parametrize("quantity", ["confidence", "entropy", "disagreement"])
def test_scores_are_cogs_whose_scale_gdal_knows(
    predicted: Predicted, tmp_path: Path, quantity: str
) -> None:
    store, image = predicted(UTM)
    path = tmp_path / f"{quantity}.tif"
    completed(export_raster(store, image, path, RasterOptions(quantity)))
    assert cog_validate(path, strict=True, quiet=True)[0]
    expected = np.asarray(getattr(store, quantity)[0][:200, :1100])
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), expected)
        assert (dataset.descriptions, dataset.nodata) == ((quantity,), 0)
        assert dataset.scales[0] * 255 == pytest.approx(1)
        assert not dataset.read_masks(1)[:, 960:].any()


def test_probabilities_have_a_band_a_class(predicted: Predicted, tmp_path: Path) -> None:
    store, image = predicted(UTM)
    options = RasterOptions("probabilities")
    path = completed(export_raster(store, image, tmp_path / "p.tif", options))
    assert cog_validate(path, strict=True, quiet=True)[0]
    expected = store.read_probabilities(image.window)
    assert expected.max() > 200
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(), expected)
        assert dataset.descriptions == store.classes.names
    with rasterio.open(path, OVERVIEW_LEVEL=0) as overview:
        np.testing.assert_array_equal(overview.read(), expected[:, ::2, ::2])


@settings(max_examples=10, deadline=None)
@given(y0=st.integers(0, 199), x0=st.integers(0, 1099), side=st.integers(1, 1200))
def test_a_window_lies_where_it_lay(
    predicted: Predicted, tmp_path_factory: pytest.TempPathFactory, y0: int, x0: int, side: int
) -> None:
    folder = tmp_path_factory.mktemp("window")
    store, image = predicted(PLACES["rotated"])
    window = Window(y0, x0, side, side).intersection(image.window)
    path = completed(export_raster(store, image, folder / "w.tif", RasterOptions(window=window)))
    with rasterio.open(path) as dataset:
        np.testing.assert_array_equal(dataset.read(1), store.read_labels(window))
        x, y = dataset.transform[2], dataset.transform[5]
        a, b, c, d, e, f = image.affine
        assert (x, y) == pytest.approx((a * x0 + b * y0 + c, d * x0 + e * y0 + f), abs=1e-6)
    assert cog_validate(path, strict=True, quiet=True)[0]


def test_many_classes_fit(tmp_path: Path) -> None:
    classes = ClassSchema.from_names([f"class {k}" for k in range(254)])
    labels = (np.arange(254 * 3).reshape(3, 254) % 254).astype(np.int64)
    with rasterio.open(export_labels(labels, tmp_path / "a.tif", classes, UTM)) as dataset:
        np.testing.assert_array_equal(dataset.read(1), labels)
        assert dataset.tags()["CLASS_253"] == "class 253"
