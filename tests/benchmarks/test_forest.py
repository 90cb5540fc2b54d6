"""The forest learns what a line cannot part."""

from __future__ import annotations

import numpy as np

from benchmarks.forest import Forest


def crossed(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two features whose signs decide the class together, and six of noise."""
    values = np.random.default_rng(seed).normal(size=(count, 8)).astype(np.float32)
    return values, (values[:, 0] * values[:, 3] > 0).astype(np.uint8)


def test_it_learns_what_two_features_say_together():
    forest = Forest(*crossed(2000, 0), 2, 30, 0)
    values, classes = crossed(1000, 1)
    assert (forest.predict(values) == classes).mean() > 0.9


def test_a_rare_class_weighs_as_much_as_a_frequent_one():
    rng = np.random.default_rng(2)
    values = np.concatenate([rng.normal(0, 1, (3000, 2)), rng.normal(3, 1, (30, 2))])
    classes = np.repeat(np.array([0, 1], np.uint8), (3000, 30))
    found = Forest(values.astype(np.float32), classes, 2, 20, 0).predict(
        rng.normal(3, 1, (500, 2)).astype(np.float32)
    )
    assert (found == 1).mean() > 0.8


def test_the_same_seed_grows_the_same_forest():
    values = crossed(300, 3)[0]
    one, other = (Forest(*crossed(300, 0), 2, 5, 7).predict(values) for _ in range(2))
    np.testing.assert_array_equal(one, other)


def test_a_class_that_was_never_shown_is_never_predicted():
    values, classes = crossed(300, 0)
    found = Forest(values, classes + 1, 4, 5, 0).predict(values)
    assert set(np.unique(found)) == {1, 2}


def test_one_class_alone_is_predicted_everywhere():
    values = crossed(50, 0)[0]
    found = Forest(values, np.full(50, 2, np.uint8), 3, 3, 0).predict(values)
    assert (found == 2).all()
