"""``--within`` predicts what a person drew, ``--skip-glass`` leaves out what shows nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import shapely
import tifffile

from napari_relay.cli.within import read_polygons
from napari_relay.images import open_image
from napari_relay.inference import PredictionStore

SQUARE = [[0, 0], [20, 0], [20, 10], [0, 10], [0, 0]]


def feature(*rings: list[list[float]]) -> dict[str, object]:
    return {
        "type": "Feature",
        "properties": {},
        "geometry": {"type": "Polygon", "coordinates": list(rings)},
    }


@pytest.mark.parametrize(
    "content",
    [
        feature(SQUARE),
        [feature(SQUARE)],
        {"type": "FeatureCollection", "features": [feature(SQUARE)]},
        {"type": "MultiPolygon", "coordinates": [[SQUARE]]},
    ],
)
def test_pixels_x_and_y_become_rows_and_columns_of_pixel_middles(photo, tmp_path, content):
    path = tmp_path / "drawn.geojson"
    path.write_text(json.dumps(content))
    (outline,) = read_polygons(path, open_image(photo))
    expected = [[-0.5, -0.5], [-0.5, 19.5], [9.5, 19.5], [9.5, -0.5], [-0.5, -0.5]]
    np.testing.assert_allclose(outline, expected)


def test_in_an_image_with_a_crs_coordinates_are_the_crs_s(tmp_path):
    path, drawn = tmp_path / "placed.tif", tmp_path / "drawn.geojson"
    tags = [
        (33550, "d", 3, (0.5, 0.5, 0.0), False),
        (33922, "d", 6, (0, 0, 0, 1000.0, 2000.0, 0), False),
        (34735, "H", 12, (1, 1, 0, 2, 1024, 0, 1, 1, 3072, 0, 1, 32648), False),
    ]
    tifffile.imwrite(path, np.zeros((90, 110), np.uint8), tile=(64, 64), extratags=tags)
    world = [[1000 + x / 2, 2000 - y / 2] for x, y in SQUARE]
    drawn.write_text(json.dumps(feature(world)))
    (outline,) = read_polygons(drawn, open_image(path))
    np.testing.assert_allclose(outline[1:3], [[-0.5, 19.5], [9.5, 19.5]])


def test_holes_are_kept_and_a_bow_tie_is_mended(photo, tmp_path):
    hole = [[5, 2], [5, 8], [15, 8], [15, 2], [5, 2]]
    bow_tie = [[30, 10], [50, 30], [50, 10], [30, 30], [30, 10]]
    path = tmp_path / "drawn.geojson"
    features = [feature(SQUARE, hole), feature(bow_tie)]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    found = read_polygons(path, open_image(photo))
    drawn = [shapely.Polygon(outline[:, ::-1] + 0.5) for outline in found]
    assert all(outline.is_valid for outline in drawn)
    expected = shapely.union(
        shapely.Polygon(SQUARE, [hole]), shapely.make_valid(shapely.Polygon(bow_tie))
    )
    assert shapely.symmetric_difference(shapely.union_all(drawn), expected).area < 1e-9


def test_only_the_tiles_that_the_polygons_meet_are_predicted(run, photo, tiny_model, tmp_path):
    path = tmp_path / "drawn.geojson"
    path.write_text(json.dumps(feature(SQUARE)))
    words = ("predict", photo, "-m", tiny_model, "-o", tmp_path / "s.zarr", "--within", path)
    result = run(*words)
    assert result.exit_code == 0, result.output
    store = PredictionStore.open(tmp_path / "s.zarr")
    assert np.argwhere(store.finished).tolist() == [[0, 0]]
    assert "Predicted 1 tile in" in result.stderr
    assert run(*words, "--window", "0,0,9,9").exit_code == 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("not json", "is no GeoJSON"),
        (json.dumps(feature([[900 + x, y] for x, y in SQUARE])), "No polygon in"),
        (json.dumps({"type": "Point", "coordinates": [1, 1]}), "No polygon in"),
        (None, "cannot be read"),
    ],
)
def test_a_file_without_a_polygon_over_the_image_is_named(
    run, photo, tiny_model, tmp_path, content, said
):
    path = tmp_path / "drawn.geojson"
    if content is not None:
        path.write_text(content)
    result = run("predict", photo, "-m", tiny_model, "-o", tmp_path / "m.tif", "--within", path)
    assert result.exit_code == 1
    assert said in result.stderr
    assert str(path) in result.stderr
    assert not (tmp_path / "m.tif.prediction.zarr").exists()


def slide(path: Path) -> None:
    pixels = np.full((600, 600, 3), 240, np.uint8)
    pixels[30:60, 30:60] = (200, 120, 170)
    size = {"resolution": (10000, 10000), "resolutionunit": "CENTIMETER"}
    tifffile.imwrite(path, pixels, photometric="rgb", tile=(64, 64), **size)


@pytest.mark.parametrize(("words", "skips"), [((), True), (("--no-skip-glass",), False)])
def test_glass_of_a_slide_is_skipped_and_its_share_said_unless_switched_off(
    run, tiny_model, tmp_path, words, skips
):
    slide(tmp_path / "slide.tif")
    output = tmp_path / "s.zarr"
    result = run("predict", tmp_path / "slide.tif", "-m", tiny_model, "-o", output, *words)
    assert result.exit_code == 0, result.output
    store = PredictionStore.open(output)
    assert store.skipped.any() == skips
    assert store.finished[0, 0]
    assert ("of background" in result.stderr) == skips


def test_probabilities_and_chosen_blocks_are_kept_when_asked_for(run, photo, tiny_model, tmp_path):
    words = ("--probabilities", "--attention-blocks", "-1", "--precision", "bfloat16")
    result = run("predict", photo, "-m", tiny_model, "-o", tmp_path / "s.zarr", *words)
    assert result.exit_code == 0, result.output
    store = PredictionStore.open(tmp_path / "s.zarr")
    assert store.has_probabilities
    assert store.has_attention
