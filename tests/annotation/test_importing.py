"""Corrections from masks and vectors, checked pixel by pixel in the store."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
import tifffile
from numpy.typing import NDArray
from rasterio.transform import Affine
from rasterio.warp import transform

from napari_relay.annotation import CorrectionStore
from napari_relay.annotation.importing import import_corrections
from napari_relay.geometry import Window
from napari_relay.images import PyramidImage, open_image
from relay_tokens import ClassSchema, UserError

PLACE = Affine(0.5, 0, 400_000, 0, -0.5, 5_000_000)
SHAPE = (300, 400)


@pytest.fixture
def image(tmp_path: Path) -> PyramidImage:
    """Terrain of 300 × 400 px of half a metre in UTM."""
    write(tmp_path / "terrain.tif", np.zeros(SHAPE, np.uint8) + 7, PLACE)
    return open_image(tmp_path / "terrain.tif")


@pytest.fixture
def corrections(tmp_path: Path, schema: ClassSchema) -> CorrectionStore:
    return CorrectionStore.create(tmp_path / "corrections", SHAPE, schema, "terrain")


def write(path: Path, values: NDArray[np.uint8], place: Affine, crs: str = "EPSG:32632") -> None:
    profile = {"height": values.shape[0], "width": values.shape[1], "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs=crs, transform=place, **profile) as raster:
        raster.write(values, 1)


def pixels(store: CorrectionStore) -> NDArray[np.uint8]:
    return store.read(Window(0, 0, *SHAPE))


def test_a_mask_of_the_same_size_is_taken_pixel_by_pixel_and_one_step_undoes_it(
    corrections: CorrectionStore, image: PyramidImage, tmp_path: Path
) -> None:
    values = np.full(SHAPE, 255, np.uint8)
    values[10:50, 20:300] = 2
    values[60:70, 20:30], values[80:90, 5:9] = 129, 254
    tifffile.imwrite(tmp_path / "mask.tif", values)
    corrections.write(Window(200, 200, 10, 10), np.zeros((10, 10), np.uint8))
    counts = import_corrections(corrections, image, tmp_path / "mask.tif")
    assert counts == {2: 40 * 280, 129: 100, 254: 40}
    values[200:210, 200:210] = 0  # the file says nothing there
    np.testing.assert_array_equal(pixels(corrections), values)
    assert {c.tool for c in corrections.log.corrections()} == {"import mask.tif"}


def test_a_georeferenced_mask_on_a_coarser_grid_is_laid_where_it_lies(
    corrections: CorrectionStore, image: PyramidImage, tmp_path: Path
) -> None:
    values = np.full((20, 30), 255, np.uint8)
    values[5:10, 5:10] = 1
    write(tmp_path / "coarse.tif", values, PLACE @ Affine.translation(40, 80) @ Affine.scale(4))
    import_corrections(corrections, image, tmp_path / "coarse.tif")
    expected = np.full(SHAPE, 255, np.uint8)
    expected[80 + 20 : 80 + 40, 40 + 20 : 40 + 40] = 1
    np.testing.assert_array_equal(pixels(corrections), expected)


def test_a_value_that_is_no_class_is_named_and_nothing_is_changed(
    corrections: CorrectionStore, image: PyramidImage, tmp_path: Path
) -> None:
    values = np.full(SHAPE, 255, np.uint8)
    values[0, 0], values[250, 250] = 1, 17
    tifffile.imwrite(tmp_path / "mask.tif", values)
    with pytest.raises(UserError, match=r"mask.tif has 17, which.*--map \"17=...\".*nuclei"):
        import_corrections(corrections, image, tmp_path / "mask.tif")
    assert corrections.is_empty


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.zeros((30, 40), np.uint8), "30 × 40 pixels, the image 300 × 400"),
        (np.zeros((300, 400), np.float32), "not a mask"),
    ],
)
def test_what_is_no_mask_of_the_image_is_refused_in_a_sentence(
    corrections: CorrectionStore,
    image: PyramidImage,
    tmp_path: Path,
    values: NDArray[np.generic],
    sentence: str,
) -> None:
    tifffile.imwrite(tmp_path / "odd.tif", values)
    with pytest.raises(UserError, match=sentence):
        import_corrections(corrections, image, tmp_path / "odd.tif")


def geojson(path: Path, polygons: list[tuple[str, shapely.Polygon]], crs: str | None) -> Path:
    features = [
        {
            "type": "Feature",
            "properties": {"id": k, "Class": name},
            "geometry": shapely.geometry.mapping(polygon),
        }
        for k, (name, polygon) in enumerate(polygons)
    ]
    document: dict[str, object] = {"type": "FeatureCollection", "features": features}
    if crs is not None:
        document["crs"] = {"type": "name", "properties": {"name": crs}}
    path.write_text(json.dumps(document))
    return path


def world(box: shapely.Polygon) -> shapely.Polygon:
    """Pixels ``(x, y)`` in metres."""
    return shapely.transform(box, lambda p: p * (0.5, -0.5) + (400_000, 5_000_000))


def test_polygons_are_drawn_in_the_order_of_the_file_with_their_holes(
    corrections: CorrectionStore, image: PyramidImage, tmp_path: Path
) -> None:
    holed = shapely.box(20, 10, 120, 90) - shapely.box(40, 30, 60, 50)
    path = geojson(
        tmp_path / "areas.geojson",
        [("tissue", world(holed)), ("NUCLEI", world(shapely.box(100, 80, 140, 100)))],
        "urn:ogc:def:crs:EPSG::32632",
    )
    counts = import_corrections(corrections, image, path)
    expected = np.full(SHAPE, 255, np.uint8)
    expected[10:90, 20:120] = 1
    expected[30:50, 40:60] = 255
    expected[80:100, 100:140] = 2
    np.testing.assert_array_equal(pixels(corrections), expected)
    assert counts[2] == 800


def test_polygons_in_degrees_are_brought_to_the_images_system(
    corrections: CorrectionStore, image: PyramidImage, tmp_path: Path
) -> None:
    def degrees(points: NDArray[np.float64]) -> NDArray[np.float64]:
        found = transform("EPSG:32632", "EPSG:4326", points[:, 0], points[:, 1])
        return np.column_stack(found)

    box = shapely.transform(world(shapely.segmentize(shapely.box(50, 60, 150, 160), 5)), degrees)
    import_corrections(
        corrections, image, geojson(tmp_path / "wgs.geojson", [("background", box)], None)
    )
    found = pixels(corrections) == 0
    assert found.sum() == pytest.approx(100 * 100, rel=0.005)
    assert np.argwhere(found).mean(axis=0) == pytest.approx((109.5, 99.5), abs=0.3)


def test_polygons_for_an_image_without_a_place_are_its_pixels(
    corrections: CorrectionStore, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "slide.tif", np.zeros((*SHAPE, 3), np.uint8), photometric="rgb")
    path = geojson(tmp_path / "cells.geojson", [("ignored", shapely.box(5, 10, 25, 20))], None)
    import_corrections(corrections, open_image(tmp_path / "slide.tif"), path)
    assert corrections.value_counts()[254] == 200
    assert (corrections.read(Window(10, 5, 10, 20)) == 254).all()


def test_names_that_are_no_class_are_all_named_and_nothing_is_changed(
    corrections: CorrectionStore, image: PyramidImage, tmp_path: Path
) -> None:
    boxes = [(name, world(shapely.box(0, 0, 9, 9))) for name in ("tissue", "moat", "kiln")]
    path = geojson(tmp_path / "areas.geojson", boxes, "urn:ogc:def:crs:EPSG::32632")
    with pytest.raises(
        UserError,
        match=r"has moat, kiln, which.*--map \"kiln=...\".*nuclei",
    ):
        import_corrections(corrections, image, path)
    assert corrections.is_empty


def test_a_vector_file_without_a_class_column_names_those_it_has(
    corrections: CorrectionStore, image: PyramidImage, tmp_path: Path
) -> None:
    path = tmp_path / "plain.geojson"
    geojson(path, [("flat", world(shapely.box(0, 0, 9, 9)))], None)
    path.write_text(path.read_text().replace('"Class"', '"kind_of"'))
    with pytest.raises(UserError, match="name the one with the class, of id, kind_of"):
        import_corrections(corrections, image, path)
    point = '{"type": "Point", "coordinates": [1, 2]}'
    feature = f'{{"type": "Feature", "properties": {{"class": "tissue"}}, "geometry": {point}}}'
    path.write_text(f'{{"type": "FeatureCollection", "features": [{feature}]}}')
    with pytest.raises(UserError, match="no polygons"):
        import_corrections(corrections, image, path)
