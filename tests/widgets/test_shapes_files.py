"""Shapes layers saved and opened through the manifest: vector files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from napari.layers import Image, Shapes
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer
from rasterio.warp import transform

from napari_relay.exporting import export_labels
from napari_relay.widgets.layer_files import found_shapes
from napari_relay.widgets.layer_files.outlines import corners_of, geometry_of
from relay_tokens import UserError
from tests.colors import write_picture
from tests.widgets.test_layer_files import CLASSES, UTM, stripes, terrain

PLUGIN = "napari-relay"
SQUARE = np.array([[10, 20], [10, 60], [50, 60], [50, 20]], float)
PATH = np.array([[5, 5], [30, 70], [80, 75]], float)


def map_corners(corners: np.ndarray) -> np.ndarray:
    """``(x, y)`` in UTM of ``(row, col)`` with pixel centres at whole numbers."""
    a, _, c, _, e, f = UTM.affine
    return np.column_stack([c + a * (corners[:, 1] + 0.5), f + e * (corners[:, 0] + 0.5)])


@pytest.fixture
def viewer(make_napari_viewer, tmp_path: Path) -> Viewer:
    made = make_napari_viewer()
    made.open(terrain(tmp_path / "dtm.tif", stripes(90, 80)), plugin=PLUGIN)
    return made


def draw(viewer: Viewer) -> Shapes:
    base = viewer.layers[0]
    return viewer.add_shapes(
        [SQUARE, PATH],
        shape_type=["polygon", "path"],
        features={"class": ["mound", "moat"], "height": [1.5, 2.5]},
        edge_color=["#112233", "#445566"],
        scale=base.scale,
        units=base.units,
    )


def test_shapes_over_a_georeferenced_image_are_saved_in_its_coordinates(
    viewer: Viewer, tmp_path: Path
) -> None:
    layer = draw(viewer)
    assert layer.save(str(tmp_path / "a.gpkg"), plugin=PLUGIN) == [str(tmp_path / "a.gpkg")]
    meta, _, geometry, columns = pyogrio.raw.read(tmp_path / "a.gpkg")
    assert rasterio.crs.CRS.from_user_input(meta["crs"]).to_epsg() == 32648
    square, path = shapely.from_wkb(geometry)
    assert square.equals(shapely.Polygon(map_corners(SQUARE)))
    np.testing.assert_allclose(shapely.get_coordinates(path), map_corners(PATH))
    found = dict(zip(meta["fields"], columns, strict=True))
    assert list(found["class"]) == ["mound", "moat"]
    assert list(found["height"]) == [1.5, 2.5]
    assert list(found["color"]) == ["#112233", "#445566"]


def test_geojson_is_in_longitude_and_latitude_and_opens_where_it_was(
    viewer: Viewer, tmp_path: Path
) -> None:
    layer = draw(viewer)
    layer.save(str(tmp_path / "a.geojson"), plugin=PLUGIN)
    document = json.loads((tmp_path / "a.geojson").read_text())
    assert "crs" not in document  # RFC 7946: always longitude and latitude
    (ring,) = document["features"][0]["geometry"]["coordinates"]
    xs, ys = map_corners(SQUARE).T
    expected = np.column_stack(transform("EPSG:32648", "EPSG:4326", xs, ys))
    assert {tuple(np.round(p, 6)) for p in ring} == {tuple(np.round(p, 6)) for p in expected}

    (again,) = viewer.open(tmp_path / "a.geojson", plugin=PLUGIN)
    assert isinstance(again, Shapes)
    assert again.shape_type == ["polygon", "path"]
    square, path = (geometry_of(*one) for one in zip(again.data, again.shape_type, strict=True))
    assert square.symmetric_difference(geometry_of(SQUARE, "polygon")).area < 1e-3 * square.length
    assert shapely.hausdorff_distance(path, geometry_of(PATH, "path")) < 1e-3
    np.testing.assert_allclose(again.scale, viewer.layers[0].scale)
    assert list(again.features["class"]) == ["mound", "moat"]
    np.testing.assert_allclose(again.edge_color[0][:3], np.array([0x11, 0x22, 0x33]) / 255)


def test_a_file_in_utm_opens_exactly_and_takes_its_colours_from_the_mask(
    viewer: Viewer, tmp_path: Path
) -> None:
    export_labels(stripes(90, 80), tmp_path / "mask.tif", CLASSES, UTM)
    viewer.open(tmp_path / "mask.tif", plugin=PLUGIN)
    hole = shapely.Polygon(map_corners(SQUARE), [map_corners(SQUARE / 2 + 15)])
    parts = shapely.MultiPolygon([hole, shapely.box(400_000, 1_499_960, 400_003, 1_499_965)])
    pyogrio.raw.write(
        tmp_path / "a.shp",
        np.array([parts.wkb], object),
        [np.array(["moat"], object)],
        np.array(["class"], object),
        geometry_type="MultiPolygon",
        crs="EPSG:32648",
    )
    (layer,) = viewer.open(tmp_path / "a.shp", plugin=PLUGIN)
    assert len(layer.data) == 2
    rgb = np.array(list(bytes.fromhex(CLASSES.colors[2][1:]))) / 255
    np.testing.assert_allclose(layer.edge_color[:, :3], [rgb, rgb], atol=1e-6)
    layer.save(str(tmp_path / "b.gpkg"), plugin=PLUGIN)
    _, _, geometry, _ = pyogrio.raw.read(tmp_path / "b.gpkg")
    saved = shapely.union_all(shapely.from_wkb(geometry))
    assert saved.symmetric_difference(parts).area < 1e-6
    assert sum(len(part.interiors) for part in shapely.get_parts(saved)) == 1


def test_over_a_slide_coordinates_are_pixels_as_in_qupath(
    make_napari_viewer, tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    (base,) = viewer.open(write_picture(tmp_path / "slide.tif"), plugin=PLUGIN)
    ring = [[0, 0], [40, 0], [40, 30], [0, 30], [0, 0]]
    feature = {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"classification": {"name": "Tumor", "color": [200, 0, 0]}},
    }
    collection = {"type": "FeatureCollection", "features": [feature]}
    (tmp_path / "q.geojson").write_text(json.dumps(collection))
    (layer,) = viewer.open(tmp_path / "q.geojson", plugin=PLUGIN)
    np.testing.assert_allclose(layer.data[0].min(axis=0), (-0.5, -0.5))
    np.testing.assert_allclose(layer.data[0].max(axis=0), (29.5, 39.5))
    np.testing.assert_allclose(layer.scale, base.scale)
    assert list(layer.features["class"]) == ["Tumor"]
    np.testing.assert_allclose(layer.edge_color[0][:3], (200 / 255, 0, 0), atol=1e-6)
    for name in ("again.geojson", "again.gpkg"):
        layer.save(str(tmp_path / name), plugin=PLUGIN)
        _, _, geometry, _ = pyogrio.raw.read(tmp_path / name)
        assert shapely.from_wkb(geometry[0]).equals(shapely.Polygon(ring))


def test_without_an_image_shapes_lie_in_metres_and_keep_their_place(
    make_napari_viewer, tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    pyogrio.raw.write(
        tmp_path / "a.gpkg",
        np.array([shapely.Polygon(map_corners(SQUARE)).wkb], object),
        [np.array(["mound"], object)],
        np.array(["class"], object),
        geometry_type="Polygon",
        crs="EPSG:32648",
    )
    (layer,) = viewer.open(tmp_path / "a.gpkg", plugin=PLUGIN)
    assert np.abs(layer.data[0]).max() < 30  # metres, far from those of UTM
    assert str(layer.units[0]) == "meter"
    layer.save(str(tmp_path / "b.gpkg"), plugin=PLUGIN)
    meta, _, geometry, _ = pyogrio.raw.read(tmp_path / "b.gpkg")
    assert shapely.from_wkb(geometry[0]).equals(shapely.Polygon(map_corners(SQUARE)))
    assert meta["crs"] == "EPSG:32648"


def test_a_geopackage_of_pixels_still_opens_as_an_image(make_napari_viewer, tmp_path: Path) -> None:
    profile = {"driver": "GPKG", "count": 1, "dtype": "uint8", "height": 90, "width": 80}
    where = rasterio.Affine(*UTM.affine)
    with rasterio.open(tmp_path / "r.gpkg", "w", crs=UTM.crs, transform=where, **profile) as file:
        file.write(stripes(90, 80), 1)
    (layer,) = make_napari_viewer().open(tmp_path / "r.gpkg", plugin=PLUGIN)
    assert isinstance(layer, Image)


@pytest.mark.parametrize(
    ("limit", "sentence"), [("MOST_SHAPES", "has 3 shapes"), ("MOST_WORK", "so many corners")]
)
def test_too_many_shapes_are_one_sentence_and_add_no_layer(
    make_napari_viewer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, sentence: str
) -> None:
    viewer, said = make_napari_viewer(), []
    notification_manager.notification_ready.connect(said.append)
    boxes = [shapely.box(k, 0, k + 1, 1).wkb for k in range(3)]
    pyogrio.raw.write(
        tmp_path / "a.gpkg", np.array(boxes, object), [], [], geometry_type="Polygon", crs=UTM.crs
    )
    monkeypatch.setattr(found_shapes, limit, 2)
    viewer.open(tmp_path / "a.gpkg", plugin=PLUGIN)
    assert not viewer.layers
    assert "a.gpkg" in said[0].message
    assert sentence in said[0].message
    assert "\n" not in said[0].message


def test_a_damaged_vector_file_is_one_sentence(make_napari_viewer, tmp_path: Path) -> None:
    viewer, said = make_napari_viewer(), []
    notification_manager.notification_ready.connect(said.append)
    for name in ("a.geojson", "a.shp", "a.gpkg"):
        (tmp_path / name).write_text("{ nothing of the kind")
        viewer.open(tmp_path / name, plugin=PLUGIN)
    assert not viewer.layers
    assert [Path(one.message.split()[0]).name for one in said] == ["a.geojson", "a.shp", "a.gpkg"]


def test_an_empty_layer_and_a_folder_that_is_missing_are_one_sentence(
    make_napari_viewer, tmp_path: Path
) -> None:
    viewer = make_napari_viewer()
    with pytest.raises(UserError, match="has no shapes to be saved"):
        viewer.add_shapes().save(str(tmp_path / "a.gpkg"), plugin=PLUGIN)
    layer = viewer.add_shapes([SQUARE])
    with pytest.raises(UserError, match="choose a folder that exists"):
        layer.save(str(tmp_path / "nowhere" / "a.gpkg"), plugin=PLUGIN)
    assert not list(tmp_path.glob("*a.gpkg"))


def test_an_ellipse_and_a_rectangle_are_polygons() -> None:
    box = np.array([[0, 0], [0, 20], [10, 20], [10, 0]], float)
    assert geometry_of(box, "rectangle").equals(shapely.box(0.5, 0.5, 20.5, 10.5))
    assert geometry_of(box, "ellipse").area == pytest.approx(np.pi * 10 * 5, rel=0.01)


def test_corners_and_geometry_are_inverse_with_holes_too() -> None:
    holes = [shapely.box(k, 2, k + 2, 5).exterior for k in (2, 6, 12)]
    polygon = shapely.Polygon(shapely.box(0, 0, 20, 8).exterior, holes)
    assert geometry_of(corners_of(polygon), "polygon").equals(polygon)
