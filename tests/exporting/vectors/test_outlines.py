"""Objects are whole, exact and valid, however the image is cut."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from napari_relay.exporting.vectors import ObjectOptions
from napari_relay.images.pyramid import PyramidImage
from napari_relay.inference import PredictionStore
from tests.exporting.vectors.samples import (
    EVERYTHING,
    draw,
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
    folder = tmp_path_factory.mktemp("outlines") / "s"
    return make_prediction(folder, np.zeros(SHAPE, np.uint8))


@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    side=st.integers(1, 12),
    runs=st.sampled_from([20, 300, 10**6]),
    unknown=st.booleans(),
)
def test_polygons_drawn_again_are_the_mask(
    prediction: Prediction, seed: int, side: int, runs: int, unknown: bool
) -> None:
    store, image = prediction
    labels = random_labels(seed, SHAPE, side, unknown=unknown)
    paint(store, labels)
    with thin_strips(runs):
        objects, shapes = found_polygons(store, image)
    assert shapely.is_valid(shapes).all()
    assert set(shapely.get_type_id(shapes)) == {shapely.GeometryType.POLYGON}
    np.testing.assert_array_equal(draw(shapes, np.array([o.label for o in objects]), image), labels)
    np.testing.assert_allclose(shapely.area(shapes), [o.pixels for o in objects])
    np.testing.assert_allclose(shapely.length(shapes), [o.perimeter for o in objects])
    # Every point of an outline is a corner of it.
    assert shapely.get_num_coordinates(shapely.simplify(shapes, 0)).tolist() == (
        shapely.get_num_coordinates(shapes).tolist()
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), side=st.integers(1, 20), runs=st.sampled_from([1, 90, 10**6]))
def test_an_object_across_strips_and_tiles_is_one(
    prediction: Prediction, seed: int, side: int, runs: int
) -> None:
    store, image = prediction
    labels = random_labels(seed, SHAPE, side)
    paint(store, labels)
    with thin_strips(runs):
        objects, _ = found_polygons(store, image)
    for label in range(3):
        numbered, count = ndimage.label(labels == label)
        sizes = sorted(np.bincount(numbered.ravel())[1:].tolist())
        assert sorted(o.pixels for o in objects if o.label == label) == sizes
        assert len(sizes) == count


def test_what_is_cut_into_strips_comes_out_as_it_does_whole(prediction: Prediction) -> None:
    store, image = prediction
    paint(store, random_labels(3, SHAPE, 2, unknown=True))
    objects, shapes = found_polygons(store, image)
    with thin_strips(30):
        cut_objects, cut_shapes = found_polygons(store, image)
    known, cut = (
        {o.id: (o, s) for o, s in zip(*pair, strict=True)}
        for pair in ((objects, shapes), (cut_objects, cut_shapes))
    )
    assert set(known) == set(cut)
    for key, (one, shape) in known.items():
        assert shapely.equals(cut[key][1], shape)
        assert cut[key][0].window == one.window
        assert cut[key][0].elongation == pytest.approx(one.elongation)


def test_holes_are_kept_and_what_touches_at_corners_only_is_apart(prediction: Prediction) -> None:
    store, image = prediction
    labels = np.zeros(SHAPE, np.uint8)
    labels[10:20, 10:20] = 1
    labels[12:14, 12:14] = 0
    labels[14:16, 14:16] = 2  # touches the other hole at a corner
    labels[20:25, 20:25] = 1  # touches the square at a corner
    paint(store, labels)
    objects, shapes = found_polygons(store, image, ObjectOptions(classes=("mound",)))
    assert [o.pixels for o in objects] == [92, 25]
    assert shapely.get_num_interior_rings(shapes).tolist() == [2, 0]
    assert shapely.is_valid(shapes).all()


def test_an_outline_that_touches_itself_is_valid(prediction: Prediction) -> None:
    store, image = prediction
    labels = np.zeros(SHAPE, np.uint8)
    labels[5:12, 5:12] = 1
    labels[6:11, 6:11] = 0
    labels[5, 5] = 0  # the ring's ends meet at a corner, which is no way in
    labels[6, 6] = 1
    labels[5, 6] = labels[6, 5] = 1
    labels[40:43, 40] = labels[42, 40:43] = labels[40:43, 42] = labels[40, 41] = 1
    labels[40, 42] = 0
    paint(store, labels)
    for runs in (1, 10**6):
        with thin_strips(runs):
            objects, shapes = found_polygons(store, image, EVERYTHING)
        assert shapely.is_valid(shapes).all(), [shapely.is_valid_reason(s) for s in shapes]
        np.testing.assert_array_equal(
            draw(shapes, np.array([o.label for o in objects]), image), labels
        )
    numbered, count = ndimage.label(labels == 1)
    assert count == sum(o.label == 1 for o in objects)
    assert numbered[41, 42] == numbered[40, 41]
    (ring,) = [s for o, s in zip(objects, shapes, strict=True) if o.first == (40, 40)]
    # The gap at the corner is closed: what is inside is a hole, not a bay.
    assert shapely.get_num_interior_rings(ring) == 1
