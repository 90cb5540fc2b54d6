"""Masks of values and colours, laid over an image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from rasterio.transform import Affine
from rasterio.warp import transform

from napari_relay.exporting import export_labels
from napari_relay.images import PyramidImage
from napari_relay.training.imported import ImportedLabels, agreed_mapping, open_import, survey
from relay_tokens import ClassSchema, UserError
from tests.training.imported.conftest import image_at, write_raster

SCHEMA = ClassSchema.from_names(["soil", "mound", "moat"])
SHAPE = (90, 110)
UTM = "EPSG:32648"
PLACE = Affine(30, 0, 400_000, 0, -30, 1_500_000)


@pytest.fixture
def image(tmp_path: Path) -> PyramidImage:
    return image_at(tmp_path / "terrain.tif", SHAPE, PLACE, UTM)


def read(path: Path, image: PyramidImage, words: tuple[str, ...] = ()) -> np.ndarray:
    file = open_import(path, image, SCHEMA)
    mapping = agreed_mapping(survey(file).classes, words, SCHEMA)
    return ImportedLabels(file, mapping).read(image.window)


def values() -> np.ndarray:
    made = np.full(SHAPE, 255, np.uint8)
    made[10:50, 20:60], made[60:70, 20:60] = 1, 2
    return made


@pytest.mark.parametrize("name", ["mask.tif", "mask.ome.tif", "mask.png"])
def test_our_own_masks_come_back_with_their_names(
    image: PyramidImage, tmp_path: Path, name: str
) -> None:
    other = ClassSchema.from_names(["nothing", "moats", "Mound"])
    export_labels(values(), tmp_path / name, other)
    found = {c.key: c for c in survey(open_import(tmp_path / name, image, SCHEMA)).classes}
    assert found["1"].color == other.colors[1].lower()
    named = not name.endswith(".png")  # a PNG has no place for names
    assert found["1"].name == ("moats" if named else "")
    expected = values()
    if named:  # by the name, although the numbers differ
        expected = np.select([expected == 1, expected == 2], [2, 1], 255)
    np.testing.assert_array_equal(read(tmp_path / name, image), expected)


def test_a_colour_mask_is_asked_for_colours_that_are_no_class(
    image: PyramidImage, tmp_path: Path
) -> None:
    picture = np.zeros((*SHAPE, 3), np.uint8)
    picture[:] = list(bytes.fromhex(SCHEMA.colors[0][1:]))
    picture[5:9, 5:9] = (1, 2, 3)
    Image.fromarray(picture).save(tmp_path / "painted.png")
    found = survey(open_import(tmp_path / "painted.png", image, SCHEMA))
    assert [(c.key, c.count, c.suggested) for c in found.classes] == [
        ("#010203", 16, None),
        (SCHEMA.colors[0].lower(), SHAPE[0] * SHAPE[1] - 16, 0),
    ]
    labels = read(tmp_path / "painted.png", image, ("#010203=moat",))
    assert (labels[5:9, 5:9] == 2).all()
    assert np.count_nonzero(labels == 0) == SHAPE[0] * SHAPE[1] - 16


def test_categories_that_gdal_keeps_beside_a_raster_name_its_values(
    image: PyramidImage, tmp_path: Path
) -> None:
    path = write_raster(tmp_path / "m.tif", np.where(values() == 255, 0, values()), PLACE, UTM)
    names = "".join(f"<Category>{name}</Category>" for name in ("", "Moat", "kiln"))
    band = f'<PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames></PAMRasterBand>'
    path.with_name("m.tif.aux.xml").write_text(f"<PAMDataset>{band}</PAMDataset>")
    found = {c.key: c for c in survey(open_import(path, image, SCHEMA)).classes}
    assert {key: (c.title, c.suggested) for key, c in found.items()} == {
        "0": ("0", 0),
        "1": ("1 Moat", 2),
        "2": ("2 kiln", None),
    }


def test_nodata_is_nothing_and_a_picture_is_no_mask(image: PyramidImage, tmp_path: Path) -> None:
    path = tmp_path / "m.tif"
    profile = {"count": 1, "height": SHAPE[0], "width": SHAPE[1], "dtype": "int16", "nodata": -1}
    with rasterio.open(path, "w", driver="GTiff", transform=PLACE, crs=UTM, **profile) as raster:
        raster.write(np.where(values() == 255, -1, values().astype(np.int16)), 1)
    np.testing.assert_array_equal(read(path, image), values())
    noise = np.random.default_rng(0).integers(0, 255, (*SHAPE, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "photo.png")
    with pytest.raises(UserError, match="more than 200 different colours"):
        survey(open_import(tmp_path / "photo.png", image, SCHEMA))


def test_a_mask_of_another_place_is_refused(image: PyramidImage, tmp_path: Path) -> None:
    path = write_raster(tmp_path / "m.tif", values(), PLACE @ Affine.translation(500, 0), UTM)
    with pytest.raises(UserError, match=r"m.tif does not lie over terrain.tif"):
        survey(open_import(path, image, SCHEMA))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.floats(-180, 180), st.booleans(), st.sampled_from([UTM, "EPSG:4326"]))
def test_a_mask_in_another_system_lies_within_half_a_pixel_however_the_image_is_turned(
    tmp_path: Path, angle: float, south_up: bool, crs: str
) -> None:
    flip = Affine.scale(1, 1 if south_up else -1)
    place = Affine.translation(401_600, 1_498_700) @ Affine.rotation(angle) @ flip
    image = image_at(tmp_path / "turned.tif", SHAPE, place @ Affine.scale(10), UTM)
    grid = Affine(0.0001, 0, 104.085, 0, -0.0001, 13.565) if crs != UTM else PLACE
    rng = np.random.default_rng(3)
    mask = np.kron(rng.integers(0, 3, (50, 50)), np.ones((6, 6))).astype(np.uint8)
    path = write_raster(tmp_path / "m.tif", mask, grid, crs)
    found = read(path, image)
    rows, cols = np.indices(SHAPE)
    x, y = (place @ Affine.scale(10)) @ (cols.ravel() + 0.5, rows.ravel() + 0.5)
    there = np.array(~grid @ tuple(map(np.asarray, transform(UTM, crs, x, y))))

    def looked_up(shift: tuple[float, float]) -> np.ndarray:
        at = np.floor(there + np.reshape(shift, (2, 1))).astype(int)
        inside = (at >= 0).all(axis=0) & (at < 300).all(axis=0)
        at = at.clip(0, 299)
        return np.where(inside, mask[at[1], at[0]], 255).reshape(SHAPE)

    shifts = [(0, 0), (0.05, 0), (-0.05, 0), (0, 0.05), (0, -0.05)]
    right = np.any([found == looked_up(shift) for shift in shifts], axis=0)
    assert right.all()
    assert (found != 255).any()
