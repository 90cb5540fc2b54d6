"""Polygons of a vector file, checked pixel by pixel."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rasterio.transform import Affine
from rasterio.warp import transform

from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image
from napari_relay.training.imported import (
    ClassMapping,
    ImportedLabels,
    agreed_mapping,
    open_import,
    polygons,
    survey,
    vector_file,
)
from napari_relay.training.imported.training_labels import training_labels
from relay_tokens import ClassSchema, UserError
from tests.training.imported.conftest import image_at, write_polygons

SCHEMA = ClassSchema.from_names(["soil", "mound", "moat"])
SHAPE = (200, 300)
PLACE = Affine(0.5, 0, 400_000, 0, -0.5, 1_500_000)
UTM = "EPSG:32648"
QUIET = [HealthCheck.function_scoped_fixture]


@pytest.fixture
def image(tmp_path: Path) -> PyramidImage:
    return image_at(tmp_path / "terrain.tif", SHAPE, PLACE, UTM)


def world(shape: shapely.Geometry) -> shapely.Geometry:
    """Pixels ``(x, y)`` in metres."""
    return shapely.transform(shape, lambda p: p * (0.5, -0.5) + (400_000, 1_500_000))


def read(path: Path, image: PyramidImage, words: tuple[str, ...] = ()) -> np.ndarray:
    file = open_import(path, image, SCHEMA)
    mapping = agreed_mapping(survey(file).classes, words, SCHEMA)
    return ImportedLabels(file, mapping).read(image.window)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".fgb"])
@pytest.mark.parametrize("is_kept", [True, False])
def test_every_format_is_drawn_the_same_from_memory_and_window_by_window(
    image: PyramidImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, is_kept: bool
) -> None:
    monkeypatch.setattr(polygons, "IN_MEMORY", 1000 if is_kept else 0)
    holed = shapely.box(20, 10, 120, 90) - shapely.box(40, 30, 60, 50)
    shapes = [world(s) for s in (holed, shapely.box(200, 80, 240, 100))]
    path = write_polygons(tmp_path / f"drawn{suffix}", shapes, ["Mound", "moat"], UTM)
    file = open_import(path, image, SCHEMA)
    found = survey(file)
    labels = ImportedLabels(file, ClassMapping.suggested(found.classes))
    expected = np.full(SHAPE, 255, np.uint8)
    expected[10:90, 20:120], expected[30:50, 40:60], expected[80:100, 200:240] = 1, 255, 2
    for y in range(0, 200, 64):
        for x in range(0, 300, 64):
            window = Window(y, x, 64, 64)
            part = np.full((64, 64), 255, np.uint8)
            inside = expected[window.slices]
            part[: inside.shape[0], : inside.shape[1]] = inside
            np.testing.assert_array_equal(labels.read(window), part)
    assert {(c.title, c.count) for c in found.classes} == {("Mound", 1), ("moat", 1)}
    assert found.placed == f"In the image's own coordinate system, {UTM}."


def test_a_large_geojson_is_read_the_same_by_way_of_a_file_that_can_be_searched(
    image: PyramidImage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    boxes = [world(shapely.box(x, 5, x + 8, 50)) for x in range(0, 90, 10)]
    words = ["mound", "moat", "soil"] * 3
    path = write_polygons(tmp_path / "drawn.geojson", boxes, words, UTM)
    expected = read(path, image)
    monkeypatch.setattr(vector_file, "LARGE_JSON", 1)
    monkeypatch.setattr(polygons, "IN_MEMORY", 0)
    file = open_import(path, image, SCHEMA)
    assert file.layer.is_in_parts
    np.testing.assert_array_equal(read(path, image), expected)
    assert set(np.unique(expected)) == {0, 1, 2, 255}


def test_a_bow_tie_is_repaired_and_what_cannot_be_drawn_is_named(
    image: PyramidImage, tmp_path: Path
) -> None:
    bow_tie = shapely.Polygon([(10, 10), (30, 30), (30, 10), (10, 30)])
    flat = shapely.Polygon([(0, 0), (9, 9), (0, 0)])
    shapes = [bow_tie, shapely.Polygon(), None, shapely.Point(3, 3), flat, shapely.box(0, 0, 5, 5)]
    moved = [None if shape is None else world(shape) for shape in shapes]
    path = write_polygons(tmp_path / "drawn.gpkg", moved, ["mound"] * 6, UTM)
    found = survey(open_import(path, image, SCHEMA))
    assert found.repaired == (1,)
    assert {(u.number, u.reason.split(",")[0]) for u in found.unusable} == {
        (2, "an empty geometry"),
        (3, "no geometry"),
        (4, "a point or a line"),
        (5, "an outline without an area"),
    }
    assert "1 invalid outline was repaired (feature 1)." in found.notes
    drawn = read(path, image)
    assert (drawn == 1).sum() == pytest.approx(200 + 25, abs=20)
    assert drawn[12, 20] == 255  # between the two triangles
    assert drawn[20, 12] == 1


corners = st.tuples(st.integers(0, 150), st.integers(0, 80), st.integers(40, 120))


@settings(max_examples=12, deadline=None, suppress_health_check=QUIET)
@given(corners, st.floats(-180, 180), st.booleans())
def test_between_degrees_and_metres_polygons_lie_within_half_a_pixel_however_the_image_is_turned(
    tmp_path: Path, corner: tuple[int, int, int], angle: float, south_up: bool
) -> None:
    x, y, side = corner
    flip = Affine.scale(1, 1 if south_up else -1)
    place = Affine.translation(400_000, 1_500_000) @ Affine.rotation(angle) @ flip
    place = place @ Affine.scale(30)
    image = image_at(tmp_path / "turned.tif", SHAPE, place, UTM)
    # The truth: every pixel centre, brought to degrees and looked up there.
    box = shapely.box(x, y, x + side, y + side)
    ends = np.array([place @ tuple(p) for p in shapely.get_coordinates(box)])
    lon_lat = np.column_stack(transform(UTM, "EPSG:4326", *ends.T))
    path = tmp_path / "drawn.geojson"
    path.unlink(missing_ok=True)
    write_polygons(path, [shapely.Polygon(lon_lat)], ["mound"], "EPSG:4326")
    drawn = read(path, image) == 1
    rows, cols = np.indices(SHAPE)
    centres = np.array(place @ (cols.ravel() + 0.5, rows.ravel() + 0.5))
    degrees = np.column_stack(transform(UTM, "EPSG:4326", *centres))
    truth = shapely.contains_xy(shapely.Polygon(lon_lat), degrees).reshape(SHAPE)
    # GDAL and the truth may differ in pixels whose centre lies on the line itself.
    edge = shapely.boundary(shapely.transform(shapely.Polygon(lon_lat), lambda p: p))
    wrong = np.argwhere(drawn != truth)
    for row, col in wrong:
        there = np.array(place @ (col + 0.5, row + 0.5))
        lon, lat = transform(UTM, "EPSG:4326", [there[0]], [there[1]])
        near = shapely.shortest_line(shapely.Point(lon[0], lat[0]), edge)
        a, b = np.column_stack(transform("EPSG:4326", UTM, *shapely.get_coordinates(near).T))
        assert np.hypot(*(a - b)) / 30 < 0.1


def test_qupaths_objects_are_pixels_with_the_names_and_colours_of_their_classes(
    image: PyramidImage, tmp_path: Path
) -> None:
    def feature(box: shapely.Polygon, said: dict[str, object] | None) -> dict[str, object]:
        properties: dict[str, object] = {"objectType": "annotation"}
        if said is not None:
            properties["classification"] = said
        return {
            "type": "Feature",
            "id": "3f1d",
            "geometry": shapely.geometry.mapping(box),
            "properties": properties,
        }

    features = [
        feature(shapely.box(10, 20, 30, 40), {"name": "Mound", "color": [200, 0, 16]}),
        feature(shapely.box(50, 20, 60, 40), {"name": "Kiln: hot", "colorRGB": -3670016}),
        feature(shapely.box(80, 20, 90, 40), None),
    ]
    for content in (features, {"type": "FeatureCollection", "features": features}):
        path = tmp_path / "qupath.geojson"
        path.write_text(json.dumps(content))
        found = survey(open_import(path, image, SCHEMA))
        assert {c.title: (c.color, c.suggested) for c in found.classes} == {
            "Mound": ("#c80010", 1),
            "Kiln: hot": ("#c80000", None),
            "(no class)": (None, None),
        }
        assert "pixels of the image" in found.placed
        labels = read(path, image, ("kiln: hot=moat", "(no class)=leave-out"))
        assert (labels[20:40, 10:30] == 1).all()
        assert np.count_nonzero(labels == 2) == 200
        assert set(np.unique(labels)) == {1, 2, 255}


def test_of_several_columns_the_one_with_known_names_is_taken_and_another_may_be_named(
    image: PyramidImage, tmp_path: Path
) -> None:
    path = write_polygons(tmp_path / "d.geojson", [world(shapely.box(0, 0, 9, 9))], ["A7"], UTM)
    content = json.loads(path.read_text())
    content["features"][0]["properties"] |= {"name": "mound", "note": "moat"}
    path.write_text(json.dumps(content))
    assert survey(open_import(path, image, SCHEMA)).column == "name"
    assert survey(open_import(path, image, SCHEMA, "note")).classes[0].suggested == 2
    with pytest.raises(UserError, match="no column 'kind'; name one of class, name, note"):
        survey(open_import(path, image, SCHEMA, "kind"))


def test_a_geojson_says_its_system_before_or_after_its_features_or_means_the_images(
    image: PyramidImage, tmp_path: Path
) -> None:
    path = write_polygons(tmp_path / "d.geojson", [world(shapely.box(0, 0, 9, 9))], ["moat"], UTM)
    content = json.loads(path.read_text())
    crs = content.pop("crs")
    for written in ({"crs": crs, **content}, {**content, "crs": crs}):
        path.write_text(json.dumps(written))
        assert survey(open_import(path, image, SCHEMA)).placed.startswith("In the image's own")
        assert (read(path, image)[:9, :9] == 2).all()
    path.write_text(json.dumps(content))  # by its numbers these are no degrees
    assert "names no coordinate system" in survey(open_import(path, image, SCHEMA)).placed
    assert (read(path, image)[:9, :9] == 2).all()


def test_polygons_label_an_image_for_training_and_elsewhere_may_be_a_class(
    image: PyramidImage, tmp_path: Path
) -> None:
    shapes = [world(shapely.box(10, 20, 30, 40)), world(shapely.box(50, 20, 60, 40))]
    path = write_polygons(tmp_path / "d.gpkg", shapes, ["mound", "robbed"], UTM)
    words = ("robbed=ignored", "elsewhere=soil")
    labels = training_labels(path, image, SCHEMA, words).read(Window(0, 0, 250, 300))
    assert (labels[20:40, 10:30] == 1).all()
    assert (labels[20:40, 50:60] == 255).all()  # what is ignored has no label
    assert (labels[200:] == 255).all()  # nor has what lies off the image
    assert np.count_nonzero(labels == 0) == 200 * 300 - 400 - 200
    with pytest.raises(UserError, match=r'--map "robbed=..."'):
        training_labels(path, image, SCHEMA)


def test_objects_beside_the_image_are_counted(image: PyramidImage, tmp_path: Path) -> None:
    shapes = [world(shapely.box(900, 20, 930, 40)), world(shapely.box(5, 5, 9, 9))]
    path = write_polygons(tmp_path / "d.gpkg", shapes, ["mound"] * 2, UTM)
    assert survey(open_import(path, image, SCHEMA)).notes == ("1 object lies beside the image.",)


def test_coordinates_of_an_image_without_a_place_are_its_pixels(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "slide.tif", np.zeros((*SHAPE, 3), np.uint8), photometric="rgb")
    shapes = [shapely.box(5, 10, 25, 20)]
    path = write_polygons(tmp_path / "cells.geojson", shapes, ["moat"], "EPSG:4326")
    labels = read(path, open_image(tmp_path / "slide.tif"))
    assert (labels[10:20, 5:25] == 2).all()
    assert np.count_nonzero(labels == 2) == 200
