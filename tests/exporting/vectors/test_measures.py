"""What is said of an object agrees with other programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from pyproj import Geod
from skimage.measure import regionprops

from napari_relay.exporting.vectors import ObjectOptions, iter_objects, outlines_in_pixels
from napari_relay.exporting.vectors.within import geometry_in_pixels
from napari_relay.geometry import Window
from napari_relay.inference import PredictionStore, PredictOptions
from relay_tokens import UserError
from tests.exporting.vectors.samples import (
    DEGREES,
    EVERYTHING,
    ROTATED,
    ROTATED_DEGREES,
    SLIDE,
    UTM,
    found_polygons,
    make_prediction,
    paint,
    random_labels,
    thin_strips,
)
from tests.inference.samples import make_image, value_checkpoint

LABELS = random_labels(11, (80, 90), 4)


def test_areas_axes_and_means_are_those_of_skimage(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    scores = [rng.integers(1, 256, LABELS.shape).astype(np.uint8) for _ in range(2)]
    store, image = make_prediction(tmp_path / "s", LABELS)
    paint(store, LABELS, *scores)
    with thin_strips(50):
        objects = list(iter_objects(store, image, EVERYTHING))
    assert sum(o.pixels for o in objects) == LABELS.size
    for one in objects:
        mask = _mask_of(one.first, one.label)
        (known,) = regionprops(mask.astype(np.uint8))
        assert one.pixels == known.area == one.area
        assert one.middle == pytest.approx(known.centroid)
        top, left, bottom, right = known.bbox
        assert one.window == Window(top, left, bottom - top, right - left)
        # skimage takes pixels for points; here they are squares.
        long, short = np.array(known.inertia_tensor_eigvals) + 1 / 12
        assert one.elongation == pytest.approx(np.sqrt(long / short))
        assert one.confidence == pytest.approx(scores[0][mask].mean() / 255)
        assert one.context_dependence == pytest.approx(scores[1][mask].mean() / 255)


def _mask_of(first: tuple[int, int], label: int) -> np.ndarray:
    from scipy import ndimage

    numbered, _ = ndimage.label(label == LABELS)
    mask: np.ndarray = numbered == numbered[first]
    return mask


@pytest.mark.parametrize(
    ("fields", "unit", "side"), [({}, "px", 1.0), (UTM, "m", 0.5), (SLIDE, "um", 0.25)]
)
def test_sizes_are_in_the_unit_of_the_image(
    tmp_path: Path, fields: dict, unit: str, side: float
) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS, **fields)
    objects, shapes = found_polygons(store, image)
    assert {o.unit for o in objects} == {unit}
    np.testing.assert_allclose([o.area for o in objects], shapely.area(shapes) * side**2)
    np.testing.assert_allclose([o.perimeter for o in objects], shapely.length(shapes) * side)


def test_an_image_in_feet_is_measured_in_metres(tmp_path: Path) -> None:
    foot = 0.3048
    fields = {**ROTATED, "crs": "EPSG:2225", "pixel_size": (0.5 * foot, 0.5 * foot)}
    store, image = make_prediction(tmp_path / "s", LABELS, **fields)
    objects = list(iter_objects(store, image, EVERYTHING))
    assert sum(o.area for o in objects) == pytest.approx(LABELS.size * (0.5 * foot) ** 2)


@pytest.mark.parametrize("fields", [DEGREES, ROTATED_DEGREES])
def test_an_image_in_degrees_is_measured_on_the_ellipsoid(tmp_path: Path, fields: dict) -> None:
    a, b, c, d, e, _ = fields["affine"]
    # Large pixels far north: what is true of degrees at the equator is wrong there.
    fields = {**fields, "affine": (100 * a, 100 * b, c, 100 * d, 100 * e, 66.0)}
    store, image = make_prediction(tmp_path / "s", LABELS, **fields)
    objects, shapes = found_polygons(store, image)
    geod = Geod(ellps="WGS84")
    matrix = np.array([[100 * a, 100 * b], [100 * d, 100 * e]])
    for one, shape in zip(objects, shapes, strict=True):
        # Along a parallel a geodesic is no edge of a pixel; short pieces are nearly.
        fine = shapely.segmentize(shape, 1.0)
        moved = shapely.transform(fine, lambda xy: xy @ matrix.T + (c, 66.0))
        area, length = geod.geometry_area_perimeter(moved)
        assert one.area == pytest.approx(abs(area), rel=1e-5)
        assert one.perimeter == pytest.approx(length, rel=1e-4)


def test_a_line_is_long_and_a_square_is_round(tmp_path: Path) -> None:
    labels = np.zeros((60, 70), np.uint8)
    labels[5, 10:30] = 1
    labels[20:30, 20:30] = 1
    labels[40:60, 40:50] = 1
    tall = {**SLIDE, "pixel_size": (0.5, 0.25)}
    for fields, expected in (({}, [20, 1, 2]), (tall, [10, 2, 4])):
        store, image = make_prediction(tmp_path / str(expected[0]), labels, **fields)
        assert [o.elongation for o in iter_objects(store, image)] == pytest.approx(expected)


def test_a_model_of_one_scale_has_no_context_dependence(tmp_path: Path) -> None:
    checkpoint = value_checkpoint(3, crop_size=64)
    config = checkpoint.model.config
    checkpoint.model.config = type(config)(
        backbone="none", num_classes=3, in_channels=1, crop_size=64, context_factor=None
    )
    image = make_image(LABELS[..., None])
    store = PredictionStore.create(
        tmp_path / "s", image, checkpoint, PredictOptions(device="cpu", attention=False)
    )
    paint(store, LABELS)
    assert {o.context_dependence for o in iter_objects(store, image, EVERYTHING)} == {None}


def test_ids_stay_the_same_and_are_those_of_one_object_each(tmp_path: Path) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS)
    other, _ = make_prediction(tmp_path / "t", LABELS, names=("background", "mound", "moat", "x"))
    ids = [o.id for o in iter_objects(store, image, EVERYTHING)]
    assert len(set(ids)) == len(ids)
    with thin_strips(20):
        assert {o.id for o in iter_objects(store, image, EVERYTHING)} == set(ids)
    assert not {o.id for o in iter_objects(other, image, EVERYTHING)} & set(ids)


def test_background_is_left_out_unless_it_is_asked_for(tmp_path: Path) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS)
    names = [
        {o.name for o in iter_objects(store, image, options)}
        for options in (ObjectOptions(), EVERYTHING, ObjectOptions(classes=("Background",)))
    ]
    assert names == [{"mound", "moat"}, {"background", "mound", "moat"}, {"background"}]


def test_small_and_unsure_objects_are_left_out(tmp_path: Path) -> None:
    labels = np.zeros((60, 70), np.uint8)
    sure = np.full(labels.shape, 255, np.uint8)
    for k, side in enumerate((2, 4, 8)):
        labels[5 : 5 + side, 20 * k : 20 * k + side] = 1
        sure[5 : 5 + side, 20 * k : 20 * k + side] = (250, 51, 102)[k]
    store, image = make_prediction(tmp_path / "s", labels, **UTM)
    paint(store, labels, sure)
    large = ObjectOptions(minimum_area=4.0)
    assert [o.area for o in iter_objects(store, image, large)] == [4, 16]
    confident = ObjectOptions(minimum_confidence=0.4)
    assert [o.area for o in iter_objects(store, image, confident)] == [1, 16]


def test_what_lies_inside_by_half_is_kept_whole(tmp_path: Path) -> None:
    labels = np.zeros((60, 70), np.uint8)
    labels[10:20, 10:20] = labels[30:40, 10:20] = labels[50:55, 50:55] = 1
    store, image = make_prediction(tmp_path / "s", labels, **ROTATED)
    area = shapely.box(15, 0, 40, 35)  # in pixels: right half of the first, a quarter of the second
    found = list(iter_objects(store, image, ObjectOptions(within=area)))
    assert [(o.first, o.pixels) for o in found] == [((10, 10), 100)]
    corners = shapely.get_coordinates(area)[:, ::-1] - 0.5
    assert outlines_in_pixels([corners]).equals(area)
    a, b, c, d, e, f = image.affine
    world = shapely.affinity.affine_transform(area, (a, b, d, e, c, f))
    assert geometry_in_pixels(world, image).equals_exact(area, 1e-6)
    assert geometry_in_pixels(area, make_image(labels[..., None])) is area


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"classes": ("hill",)}, "hill is no class .* background, mound, moat"),
        ({"classes": ()}, "No class is left"),
        ({"minimum_area": -1.0}, "minimum_area is -1; choose"),
        ({"simplify": float("nan")}, "simplify is nan; choose"),
        ({"minimum_confidence": 80.0}, "minimum_confidence is 80; choose a number from 0 to 1"),
    ],
)
def test_options_that_mean_nothing_are_one_sentence(
    tmp_path: Path, fields: dict, said: str
) -> None:
    store, image = make_prediction(tmp_path / "s", LABELS)
    with pytest.raises(UserError, match=said):
        list(iter_objects(store, image, ObjectOptions(**fields)))


def test_another_image_is_refused_by_name(tmp_path: Path) -> None:
    store, _ = make_prediction(tmp_path / "s", LABELS)
    other = make_image(LABELS[1:, :, None], source=tmp_path / "other.tif")
    with pytest.raises(UserError, match=r"90 × 80 px, and .*other\.tif has 90 × 79 px; open"):
        list(iter_objects(store, other))
