from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.training import LabelSource
from napari_relay.training.datasets import open_dataset
from napari_relay.training.datasets.archaeoscape import PARCELS
from relay_tokens import UserError
from tests.training.datasets import trees
from tests.training.datasets.trees import box

POND = ("hydrology", box(2, 2, 10, 20))
WHOLE = Window(0, 0, 40, 60)


def labels_of(root: Path, name: str = "01_olinda") -> np.ndarray:
    samples = {s.name: s for s in open_dataset(f"archaeoscape:{root}").samples}
    return samples[name].open_labels().read(WHOLE)


def drawn(*boxes: tuple[int, int, int, int, int]) -> np.ndarray:
    """``(row, col, height, width, class)`` over background, and the unsurveyed columns."""
    expected = np.full((40, 60), 3, np.uint8)
    for row, col, height, width, label in boxes:
        expected[row : row + height, col : col + width] = label
    expected[:, 56:] = 255
    return expected


def test_parcels_have_their_official_split(tmp_path: Path) -> None:
    names = ["23_kadath", "01_olinda", "17_fusang"]
    dataset = open_dataset(f"archaeoscape:{trees.archaeoscape(tmp_path, [POND], names)}")
    assert [(s.name, s.split) for s in dataset.samples] == [
        ("01_olinda", "train"),
        ("17_fusang", "val"),
        ("23_kadath", "test"),
    ]
    counts = [list(PARCELS.values()).count(split) for split in ("train", "val", "test")]  # type: ignore[arg-type]
    assert counts == [16, 3, 4]
    assert dataset.classes.names == ("mound", "hydrology", "temple", "background")


def test_orthophoto_and_terrain_are_one_image(tmp_path: Path) -> None:
    (sample,) = open_dataset(f"archaeoscape:{trees.archaeoscape(tmp_path, [POND])}").samples
    image = sample.open_image()
    assert image.bands == ("red", "green", "blue", "elevation")
    assert (image.shape, image.pixel_size, image.unit) == ((40, 60), (0.5, 0.5), "m")
    assert [path.parent.name for path in image.sources] == ["rgb", "dtm"]


def test_features_are_drawn_over_background_inside_the_parcel(tmp_path: Path) -> None:
    features = [POND, ("temple", box(20, 40, 5, 19)), ("mound", box(30, 0, 3, 3))]
    expected = drawn((2, 2, 10, 20, 1), (20, 40, 5, 19, 2), (30, 0, 3, 3, 0))
    np.testing.assert_array_equal(labels_of(trees.archaeoscape(tmp_path, features)), expected)


def test_of_overlapping_features_the_kind_decides_not_the_order_in_the_file(tmp_path: Path) -> None:
    void, temple = ("void", box(8, 8, 4, 4)), ("temple", box(6, 6, 10, 10))
    mound = ("mound", box(4, 4, 20, 20))
    root = trees.archaeoscape(tmp_path, [void, temple, mound, POND])
    expected = drawn((2, 2, 10, 20, 1), (4, 4, 20, 20, 0), (6, 6, 10, 10, 2), (8, 8, 4, 4, 255))
    np.testing.assert_array_equal(labels_of(root), expected)


def test_holes_stay_open_and_lines_are_not_drawn(tmp_path: Path) -> None:
    moat = box(2, 2, 20, 20).difference(box(6, 6, 12, 12))
    dyke = shapely.LineString([(400_000, 1_499_990), (400_030, 1_499_990)])
    root = trees.archaeoscape(tmp_path, [("hydrology", moat), ("mound", dyke)])
    expected = drawn((2, 2, 20, 20, 1), (6, 6, 12, 12, 3))
    np.testing.assert_array_equal(labels_of(root), expected)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32647"])
def test_features_in_another_system_come_to_the_same_place(tmp_path: Path, crs: str) -> None:
    features = [POND, ("temple", box(20, 40, 5, 10))]
    root = trees.archaeoscape(tmp_path, features, crs=crs)
    expected = drawn((2, 2, 10, 20, 1), (20, 40, 5, 10, 2))
    np.testing.assert_array_equal(labels_of(root), expected)


@pytest.mark.filterwarnings("ignore:'crs' was not provided:UserWarning")
@pytest.mark.parametrize("systems", [(None, trees.UTM), (trees.UTM, None), (None, None)])
def test_coordinates_are_taken_as_they_are_where_a_system_is_unknown(
    tmp_path: Path, systems: tuple[str | None, str | None]
) -> None:
    root = trees.archaeoscape(tmp_path, [POND], crs=systems[0], raster_crs=systems[1])
    np.testing.assert_array_equal(labels_of(root), drawn((2, 2, 10, 20, 1)))


def test_a_local_system_that_is_not_the_rasters_is_refused(tmp_path: Path) -> None:
    root = trees.archaeoscape(tmp_path, [POND])
    local = 'LOCAL_CS["plane",UNIT["metre",1]]'
    features, parcels = root / "data/features.gpkg", root / "data/parcels.gpkg"
    features.unlink()
    trees.vectors(features, [POND[1]], {"type": ["hydrology"]}, local)
    with pytest.raises(UserError, match=r"features\.gpkg has a coord.*, EPSG:32648; assign it"):
        labels_of(root)
    parcels.unlink()
    trees.vectors(parcels, [box(0, 0, 9, 9)], {"index": ["01_olinda"]}, local)
    with pytest.raises(UserError, match=r"parcels\.gpkg has a coord.*, EPSG:32648; assign it"):
        labels_of(root)


@pytest.fixture(scope="module")
def polygons(tmp_path_factory: pytest.TempPathFactory) -> LabelSource:
    """Slanted triangles in a system that is not the rasters'."""
    rng = np.random.default_rng(3)
    left, top = trees.TOP_LEFT
    corners = rng.uniform([left, top - 20], [left + 30, top], (12, 3, 2))
    kinds = rng.choice(["mound", "hydrology", "temple", "void"], 12)
    features = [(str(k), shapely.Polygon(c)) for k, c in zip(kinds, corners, strict=True)]
    root = trees.archaeoscape(tmp_path_factory.mktemp("polygons"), features, crs="EPSG:32647")
    return open_dataset(f"archaeoscape:{root}").samples[0].open_labels()


@settings(deadline=None, max_examples=40)
@given(st.integers(-20, 50), st.integers(-20, 70), st.integers(1, 40), st.integers(1, 40))
def test_a_window_is_a_part_of_the_whole(
    polygons: LabelSource, y0: int, x0: int, height: int, width: int
) -> None:
    padded = np.full((200, 200), 255, np.uint8)
    padded[60:100, 60:120] = polygons.read(WHOLE)
    assert set(np.unique(padded)) == {0, 1, 2, 3, 255}
    part = padded[60 + y0 : 60 + y0 + height, 60 + x0 : 60 + x0 + width]
    np.testing.assert_array_equal(polygons.read(Window(y0, x0, height, width)), part)


def test_rasters_may_lie_in_data(tmp_path: Path) -> None:
    root = trees.archaeoscape(tmp_path, [POND])
    (root / "rasters").rename(root / "data/rasters")
    assert len(open_dataset(f"archaeoscape:{root}").samples) == 1


def test_a_parcel_without_rasters_is_left_out_and_said_so(tmp_path: Path) -> None:
    root = trees.archaeoscape(tmp_path, [POND], ["01_olinda", "02_irene"])
    (root / "rasters/dtm/02_irene.tif").unlink()
    dataset = open_dataset(f"archaeoscape:{root}")
    assert [s.name for s in dataset.samples] == ["01_olinda"]
    assert dataset.notes == ("02_irene lacks a raster and is left out.",)
    (root / "rasters/rgb/01_olinda.tif").unlink()
    with pytest.raises(UserError, match="no parcel has both rasters; expected the layout of"):
        open_dataset(f"archaeoscape:{root}")


def test_unknown_features_and_parcels_are_named(tmp_path: Path) -> None:
    root = trees.archaeoscape(tmp_path / "a", [("road", box(0, 0, 1, 1))])
    with pytest.raises(UserError, match=r"features\.gpkg has road, which Archaeoscape does not"):
        open_dataset(f"archaeoscape:{root}")
    root = trees.archaeoscape(tmp_path / "b", [POND], ["99_nowhere"])
    with pytest.raises(UserError, match=r"parcels\.gpkg has 99_nowhere"):
        open_dataset(f"archaeoscape:{root}")


def test_a_file_that_holds_no_polygons_is_named(tmp_path: Path) -> None:
    root = trees.archaeoscape(tmp_path, [POND])
    features = root / "data/features.gpkg"
    features.unlink()
    trees.vectors(features, [POND[1]], {"colour": ["blue"]})
    with pytest.raises(UserError, match=r"features\.gpkg has no layer with the column type"):
        open_dataset(f"archaeoscape:{root}")
    features.write_bytes(b"nothing of the sort")
    with pytest.raises(UserError, match=r"features\.gpkg is missing or is not a vector file"):
        open_dataset(f"archaeoscape:{root}")


def test_rasters_without_a_place_are_refused(tmp_path: Path) -> None:
    root = trees.archaeoscape(tmp_path, [POND])
    for kind, bands in (("rgb", 3), ("dtm", 1)):
        pixels = np.zeros((40, 60, bands) if bands == 3 else (40, 60), np.uint8)
        trees.save(root / f"rasters/{kind}/01_olinda.tif", pixels)
    with pytest.raises(UserError, match=r"01_olinda\.tif does not say where it lies, so the poly"):
        labels_of(root)


def test_features_that_vanish_are_named_when_read(tmp_path: Path) -> None:
    root = trees.archaeoscape(tmp_path, [POND])
    labels = open_dataset(f"archaeoscape:{root}").samples[0].open_labels()
    (root / "data/features.gpkg").unlink()
    with pytest.raises(UserError, match=r"features\.gpkg is missing or is not"):
        labels.read(WHOLE)
