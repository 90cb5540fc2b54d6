"""Simplified outlines fit each other as the pixels did."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_relay.exporting.vectors import ObjectOptions
from napari_relay.exporting.vectors.ground import Ground
from napari_relay.exporting.vectors.simplifying import SimplifiedOutlines
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore
from tests.exporting.vectors.samples import (
    EVERYTHING,
    ROTATED_DEGREES,
    UTM,
    found_polygons,
    make_prediction,
    paint,
    random_labels,
    thin_strips,
)

SHAPE = (90, 110)
Prediction = tuple[PredictionStore, PyramidImage]


@pytest.fixture(scope="module")
def prediction(tmp_path_factory: pytest.TempPathFactory) -> Prediction:
    folder = tmp_path_factory.mktemp("simple") / "s"
    return make_prediction(folder, np.zeros(SHAPE, np.uint8))


def smooth_labels(seed: int, width: float) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    fields = [gaussian_filter(rng.standard_normal(SHAPE), width) for _ in range(3)]
    return np.argmax(fields, axis=0).astype(np.uint8)


def simplified(
    prediction: Prediction, tolerance: float, options: ObjectOptions = EVERYTHING
) -> tuple[list[int], NDArray[np.object_]]:
    store, image = prediction
    flags = options.label_flags(store.classes)
    outlines = SimplifiedOutlines(tolerance, Ground.of(image), flags)
    objects, shapes = found_polygons(store, image, options, outlines)
    return [o.pixels for o in objects], shapes


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    width=st.floats(0, 6),
    tolerance=st.sampled_from([0.5, 1, 2, 5, 20]),
    runs=st.sampled_from([60, 400, 10**6]),
)
def test_neighbours_leave_no_gap_and_do_not_overlap(
    prediction: Prediction, seed: int, width: float, tolerance: float, runs: int
) -> None:
    labels = smooth_labels(seed, width) if width > 0.3 else random_labels(seed, SHAPE, 1)
    paint(prediction[0], labels)
    with thin_strips(runs):
        pixels, shapes = simplified(prediction, tolerance)
    whole = SHAPE[0] * SHAPE[1]
    assert shapely.is_valid(shapes).all()
    assert set(shapely.get_type_id(shapes)) == {shapely.GeometryType.POLYGON}
    # Together they cover the image, and their areas add up to it: nothing is covered twice.
    assert shapely.union_all(shapes).area == pytest.approx(whole)
    assert shapely.area(shapes).sum() == pytest.approx(whole)
    assert len(pixels) == len(shapes)
    assert shapely.area(shapes).min() > 0


def test_what_is_not_wanted_leaves_the_others_as_they_are(prediction: Prediction) -> None:
    paint(prediction[0], smooth_labels(5, 4))
    _, everything = simplified(prediction, 1.5)
    with thin_strips(400):
        _, some = simplified(prediction, 1.5, ObjectOptions(classes=("mound", "moat")))
    assert len(some) < len(everything)
    overlaps = shapely.union_all(some).area - shapely.area(some).sum()
    assert overlaps == pytest.approx(0, abs=1e-9)


def test_fewer_points_stay_close_to_the_pixels(prediction: Prediction) -> None:
    store, image = prediction
    paint(store, smooth_labels(7, 8))
    _, exact = found_polygons(store, image)
    counts = []
    for tolerance in (1.0, 3.0):
        _, shapes = simplified(prediction, tolerance)
        apart = shapely.area(shapely.symmetric_difference(exact, shapes))
        # Each point that goes takes away or adds a triangle below the square of the tolerance.
        assert (apart <= shapely.get_num_coordinates(exact) * tolerance**2).all()
        assert shapely.hausdorff_distance(exact, shapes).max() < 6 * tolerance
        counts.append(shapely.get_num_coordinates(shapes).sum())
    assert counts[1] < counts[0] < 0.6 * shapely.get_num_coordinates(exact).sum()


@pytest.mark.parametrize(
    ("fields", "metres"), [(UTM, 0.5), ({**UTM, "pixel_size": None}, 1), (ROTATED_DEGREES, 1.1)]
)
def test_the_tolerance_is_in_metres(tmp_path: Path, fields: dict, metres: float) -> None:
    labels = smooth_labels(7, 8)
    counts = []
    for name, known, tolerance in (("a", fields, 2 * metres), ("b", {}, 2.0)):
        pair = make_prediction(tmp_path / name, labels, **known)
        counts.append(shapely.get_num_coordinates(simplified(pair, tolerance)[1]).sum())
    assert counts[0] == pytest.approx(counts[1], rel=0.02)
