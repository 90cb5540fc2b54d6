"""Files of polygons, read by other programs."""

from __future__ import annotations

import importlib.util
import json
import resource
from pathlib import Path
from uuid import UUID

import geojson
import numpy as np
import pyogrio
import pytest
import shapely
from rasterio.warp import transform

from napari_relay.exporting.vectors import ObjectOptions, export_objects, gis_file
from napari_relay.images.pyramid import PyramidImage
from relay_tokens import UserError
from tests.exporting.vectors.samples import (
    DEGREES,
    EVERYTHING,
    ROTATED,
    ROTATED_DEGREES,
    SLIDE,
    SOUTH_UP,
    SOUTH_UP_DEGREES,
    UTM,
    draw,
    make_prediction,
    many_steps,
    random_labels,
    read_file,
    thin_strips,
)

LABELS = random_labels(4, (80, 90), 3, unknown=True)
COLUMNS = ["class", "class_id", "area", "perimeter", "pixels", "confidence"]


def in_frame_of(shapes: np.ndarray, image: PyramidImage) -> np.ndarray:
    """Longitude and latitude in the image's CRS."""

    def move(xy: np.ndarray) -> np.ndarray:
        return np.column_stack(transform("EPSG:4326", image.crs, xy[:, 0], xy[:, 1]))

    moved: np.ndarray = shapely.transform(shapes, move)
    return moved


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson"])
@pytest.mark.parametrize(
    "fields", [UTM, DEGREES, ROTATED, ROTATED_DEGREES, SOUTH_UP, SOUTH_UP_DEGREES]
)
def test_a_mask_comes_back_from_a_file(tmp_path: Path, suffix: str, fields: dict) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **fields)
    path = tmp_path / f"objects{suffix}"
    with thin_strips(200):
        steps = list(export_objects(store, image, path, EVERYTHING))
    assert (steps[-1].path, steps[-1].done) == (path, steps[-1].total)
    columns, shapes = read_file(path)
    assert shapely.is_valid(shapes).all()
    crs = pyogrio.read_info(path)["crs"]
    assert crs == ("EPSG:4326" if suffix == ".geojson" else fields["crs"])
    if crs != fields["crs"]:
        shapes = in_frame_of(shapes, image)
    drawn = draw(shapes, columns["class_id"], image)
    np.testing.assert_array_equal(drawn, LABELS)
    names = np.array(["background", "mound", "moat"])[columns["class_id"].astype(int)]
    assert (columns["class"] == names).all()


def test_longitudes_and_latitudes_are_right_along_the_longest_edge(tmp_path: Path) -> None:
    labels = np.ones((8, 9000), np.uint8)
    store, image = make_prediction(tmp_path / "s", labels, **UTM)
    list(export_objects(store, image, tmp_path / "a.geojson"))
    _, shapes = read_file(tmp_path / "a.geojson")
    # Where the upper edge of the image is, its middle too, where a line would stray most.
    xs = 400_000 + 0.5 * np.arange(9001)
    lon, lat = transform("EPSG:32648", "EPSG:4326", xs, np.full(9001, 1_500_000.0))
    apart = shapely.distance(shapely.boundary(shapes[0]), shapely.points(lon, lat))
    assert apart.max() * 111_320 < 0.05


def test_geojson_is_what_rfc_7946_asks_for(tmp_path: Path) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **SOUTH_UP)
    list(export_objects(store, image, tmp_path / "a.geojson", EVERYTHING))
    text = (tmp_path / "a.geojson").read_text("utf-8")
    found = geojson.loads(text)
    assert found.is_valid, found.errors()
    assert set(found) == {"type", "features"}
    for feature in found.features:
        assert set(feature) == {"type", "id", "geometry", "properties"}
        assert list(feature.properties)[:6] == COLUMNS
        outer, *holes = feature.geometry.coordinates
        assert shapely.LinearRing(outer).is_ccw
        assert not any(shapely.LinearRing(hole).is_ccw for hole in holes)
        for lon, lat in geojson.utils.coords(feature):
            assert 104 < lon < 105
            assert 13 < lat < 14
            assert (round(lon, 7), round(lat, 7)) == (lon, lat)


def test_small_pixels_get_more_digits(tmp_path: Path) -> None:
    fine = {**UTM, "pixel_size": (0.01, 0.01), "affine": (0.01, 0, 4e5, 0, -0.01, 1.5e6)}
    store, image = make_prediction(tmp_path / "s", LABELS, **fine)
    list(export_objects(store, image, tmp_path / "a.geojson", EVERYTHING))
    columns, shapes = read_file(tmp_path / "a.geojson")
    drawn = draw(in_frame_of(shapes, image), columns["class_id"], image)
    np.testing.assert_array_equal(drawn, LABELS)


QUPATH_TYPES = {"annotation", "detection", "cell", "tile", "tmaCore", "root"}


def check_qupath(feature: dict[str, object]) -> None:
    """What QuPath 0.4 and later read of a feature (its documentation, "Exporting annotations")."""
    assert feature["type"] == "Feature"
    UUID(feature["id"])
    said = feature["properties"]
    assert said["objectType"] in QUPATH_TYPES
    assert isinstance(said["classification"]["name"], str)
    color = said["classification"]["color"]
    assert len(color) == 3
    assert all(isinstance(v, int) and 0 <= v <= 255 for v in color)
    assert all(isinstance(v, float) for v in said["measurements"].values())
    assert all(isinstance(v, str) for v in said["metadata"].values())
    assert feature["geometry"]["type"] in {"Polygon", "MultiPolygon"}


@pytest.mark.parametrize(
    ("name", "fields", "options"),
    [
        ("a.geojson", SLIDE, {}),
        ("a.qupath.geojson", UTM, {}),
        ("a.json", ROTATED, {"dialect": "qupath", "object_type": "detection"}),
    ],
)
def test_qupath_reads_objects_in_pixels(
    tmp_path: Path, name: str, fields: dict, options: dict
) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **fields)
    with thin_strips(100):
        list(export_objects(store, image, tmp_path / name, ObjectOptions(**options)))
    content = json.loads((tmp_path / name).read_text("utf-8"))
    for feature in content["features"]:
        check_qupath(feature)
        assert feature["properties"]["objectType"] == options.get("object_type", "annotation")
    assert geojson.loads(json.dumps(content)).is_valid
    shapes = np.array([shapely.geometry.shape(f["geometry"]) for f in content["features"]])
    assert shapely.is_valid(shapes).all()
    said = [f["properties"]["classification"]["name"] for f in content["features"]]
    values = np.array([store.classes.names.index(one) for one in said])
    plane = PyramidImage(image.levels, image.factors, image.bands, image.source)
    known = np.where(LABELS == 0, 255, LABELS)
    np.testing.assert_array_equal(draw(shapes, values, plane), known)
    colors = {f["properties"]["classification"]["name"]: f for f in content["features"]}
    mound = colors["mound"]["properties"]
    assert mound["classification"]["color"] == [0xE6, 0x9F, 0x00]
    assert mound["metadata"] == {"model": "tiny", "model_version": store.header.model}
    area = "Area µm^2" if fields is SLIDE else "Area m^2"
    assert mound["measurements"][area] == pytest.approx(
        mound["measurements"]["Pixels"] * image.pixel_size[0] ** 2
    )


def test_an_image_without_a_crs_gives_pixels_on_an_undefined_plane(tmp_path: Path) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **SLIDE)
    path = tmp_path / "a.gpkg"
    list(export_objects(store, image, path, EVERYTHING))
    columns, shapes = read_file(path)
    np.testing.assert_array_equal(draw(shapes, columns["class_id"], image), LABELS)
    assert "4326" not in str(pyogrio.read_info(path)["crs"])
    options = ObjectOptions(include_background=True, dialect="gis")
    list(export_objects(store, image, tmp_path / "a.geojson", options))
    columns, shapes = read_file(tmp_path / "a.geojson")
    np.testing.assert_array_equal(draw(shapes, columns["class_id"], image), LABELS)


def test_all_columns_are_there_and_a_shapefile_has_them_by_short_names(tmp_path: Path) -> None:
    long_name = "fossé à talus, comblé depuis longtemps"
    names = ("background", long_name, "moat")
    store, image = make_prediction(tmp_path / "s", LABELS, names, **UTM)
    rest = ["context_dependence", "elongation", "model", "model_version", "id"]
    for suffix, expected in (
        (".gpkg", COLUMNS + rest),
        (".shp", [*COLUMNS, "context", "elongation", "model", "model_ver", "id"]),
    ):
        list(export_objects(store, image, tmp_path / f"a{suffix}"))
        columns, _ = read_file(tmp_path / f"a{suffix}")
        assert list(columns) == expected
        assert set(columns["class"]) == {long_name, "moat"}
        np.testing.assert_allclose(columns["confidence"].astype(float), 200 / 255, atol=1e-4)
        np.testing.assert_allclose(columns[expected[6]].astype(float), 100 / 255, atol=1e-4)
        assert len(set(columns["id"])) == len(columns["id"])


@pytest.mark.parametrize("suffix", [".gpkg", ".shp", ".geojson", ".qupath.geojson"])
def test_no_object_is_a_file_without_objects(tmp_path: Path, suffix: str) -> None:
    store, image = make_prediction(tmp_path / "s", np.full((70, 70), 255, np.uint8), **UTM)
    path = tmp_path / f"a{suffix}"
    list(export_objects(store, image, path))
    assert pyogrio.read_info(path)["features"] == 0


def test_simplified_objects_are_exported_too(tmp_path: Path) -> None:
    rows, cols = np.mgrid[:120, :120]
    disc = (rows - 60) ** 2 + (cols - 60) ** 2 < 50**2
    store, image = make_prediction(tmp_path / "s", disc.astype(np.uint8), **UTM)
    counts = []
    for tolerance in (0.0, 1.0):
        options = ObjectOptions(simplify=tolerance)
        list(export_objects(store, image, tmp_path / "a.gpkg", options))
        columns, shapes = read_file(tmp_path / "a.gpkg")
        counts.append((len(columns["id"]), shapely.get_num_coordinates(shapes).sum()))
    assert counts[0][0] == counts[1][0]
    assert counts[0][1] > 3 * counts[1][1]


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.geojson"])
def test_an_export_that_is_stopped_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, name: str
) -> None:
    labels = np.tile(LABELS, (9, 1))
    store, image = make_prediction(tmp_path / "s", labels, **UTM)
    folder = tmp_path / "out"
    folder.mkdir()
    list(export_objects(store, image, folder / name))
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    with many_steps():
        steps = export_objects(store, image, folder / name, EVERYTHING)
        first = next(steps)
        assert (first.done, first.total) == (1, 2)
        steps.close()
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before
    with many_steps():
        assert [s.done for s in export_objects(store, image, folder / name, EVERYTHING)] == [1, 2]
    assert {p.name for p in folder.iterdir()} == set(before)


@pytest.mark.parametrize("name", ["a.kml", "a", "a.tif"])
def test_other_suffixes_are_refused_by_name(tmp_path: Path, name: str) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS)
    with pytest.raises(UserError, match=rf"{name} cannot be written .*\.gpkg, \.geojson or \.shp"):
        list(export_objects(store, image, tmp_path / name))


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.geojson"])
def test_a_folder_that_is_missing_is_one_sentence(tmp_path: Path, name: str) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **UTM)
    with pytest.raises(UserError, match=rf"{name} cannot be written .*choose a folder that exists"):
        list(export_objects(store, image, tmp_path / "nowhere" / name))


@pytest.mark.parametrize("name", ["a.gpkg", "a.shp", "a.geojson"])
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path, name: str) -> None:
    store, image = make_prediction(tmp_path / "s", random_labels(0, (200, 200), 1), **UTM)
    folder = tmp_path / "out"
    folder.mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(UserError, match=rf"{name} cannot be written .*free some space"):
            list(export_objects(store, image, folder / name, EVERYTHING))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not list(folder.iterdir())


def test_a_shapefile_that_would_be_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **UTM)
    list(export_objects(store, image, tmp_path / "a.shp"))
    size = (tmp_path / "a.shp").stat().st_size
    for limit, fits in ((size, True), (size - 1, False)):
        kind = gis_file.GisFormat("ESRI Shapefile", True, {}, limit)
        monkeypatch.setitem(gis_file.FORMATS, ".shp", kind)
        monkeypatch.setattr("napari_relay.exporting.vectors.export.SHAPEFILE", kind)
        steps = export_objects(store, image, tmp_path / "b.shp")
        if fits:
            list(steps)
        else:
            with pytest.raises(UserError, match=r"b\.shp .* 2 GB .*\.gpkg"):
                list(steps)


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **UTM)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    for name in ("a.gpkg", "a.geojson"):
        with pytest.raises(UserError, match=r"napari-relay\[geo\]"):
            list(export_objects(store, image, tmp_path / name))
    list(export_objects(store, image, tmp_path / "a.qupath.geojson"))


def test_old_files_beside_a_shapefile_go(tmp_path: Path) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **UTM)
    (tmp_path / "a.qix").write_bytes(b"index of an older file")
    (tmp_path / "a.txt").write_text("notes")
    list(export_objects(store, image, tmp_path / "a.shp"))
    assert {p.suffix for p in tmp_path.iterdir() if p.is_file()} == {
        *(".shp", ".shx", ".dbf", ".prj", ".cpg", ".txt")
    }


@pytest.mark.parametrize("crs", ["EPSG:1", 'LOCAL_CS["site grid",UNIT["metre",1]]'])
def test_a_system_without_longitudes_is_refused_by_name(tmp_path: Path, crs: str) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **{**UTM, "crs": crs})
    with pytest.raises(UserError, match=r"cannot be brought to longitude .*\.gpkg"):
        list(export_objects(store, image, tmp_path / "a.geojson"))
    assert {p.name for p in tmp_path.iterdir()} == {"s"}


def test_a_system_that_gdal_does_not_know_is_refused(tmp_path: Path) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **{**UTM, "crs": "EPSG:1"})
    with pytest.raises(UserError, match=r"a\.gpkg cannot be written, since GDAL .* -a_srs"):
        list(export_objects(store, image, tmp_path / "a.gpkg"))


def test_an_image_far_outside_its_system_is_refused(tmp_path: Path) -> None:
    far = {**UTM, "affine": (0.5, 0.0, 1e12, 0.0, -0.5, 1e12)}
    store, image = make_prediction(tmp_path / "s", LABELS, **far)
    with pytest.raises(UserError, match=r"EPSG:32648, cannot be brought to longitude"):
        list(export_objects(store, image, tmp_path / "a.geojson"))
