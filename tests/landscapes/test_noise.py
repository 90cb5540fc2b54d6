from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.landscapes.grid import SampleGrid
from napari_relay.landscapes.noise import derive_key, hashed, smooth_noise


def grid(row0: float, col0: float, rows: int, cols: int, step: float = 1.0) -> SampleGrid:
    return SampleGrid(row0 + step * np.arange(rows), col0 + step * np.arange(cols), step)


@settings(deadline=None)
@given(
    row0=st.integers(-(10**6), 10**6),
    col0=st.integers(-(10**6), 10**6),
    cut=st.tuples(st.integers(0, 30), st.integers(0, 30)),
    spacing=st.floats(2, 900),
)
def test_a_field_is_the_same_on_any_part_of_a_grid(row0, col0, cut, spacing):
    whole = smooth_noise(grid(row0, col0, 40, 50), 7, spacing)
    part = smooth_noise(grid(row0 + cut[0], col0 + cut[1], 9, 11), 7, spacing)
    expected = whole[cut[0] : cut[0] + 9, cut[1] : cut[1] + 11]
    np.testing.assert_allclose(part, expected, atol=1e-5)


def test_a_field_has_mean_0_and_a_spread_of_about_half():
    field = smooth_noise(grid(0, 0, 800, 800), 3, 4.0)
    assert abs(field.mean()) < 0.02
    assert 0.45 < field.std() < 0.65
    assert np.abs(field).max() <= 2


def test_a_field_is_smooth_at_the_scale_of_its_lattice():
    field = smooth_noise(grid(0, 0, 200, 200), 3, 50.0)
    assert np.abs(np.diff(field, axis=0)).max() < 0.1
    assert np.abs(np.diff(field, n=2, axis=1)).max() < 0.01


def test_a_field_finer_than_the_samples_is_left_out():
    assert not smooth_noise(grid(0, 0, 30, 30, step=8.0), 3, 15.0).any()
    assert smooth_noise(grid(0, 0, 30, 30, step=8.0), 3, 17.0).any()


@pytest.mark.parametrize(("first", "second"), [((1, "a"), (1, "b")), ((1, "a"), (2, "a"))])
def test_other_names_and_seeds_give_unrelated_fields(first, second):
    one, two = (
        smooth_noise(grid(0, 0, 300, 300), derive_key(*names), 5.0) for names in (first, second)
    )
    assert abs(np.corrcoef(one.ravel(), two.ravel())[0, 1]) < 0.05


def test_hashed_values_are_even_between_0_and_1_and_unlike_their_neighbours():
    values = hashed(5, np.arange(-200, 200)[:, None], np.arange(-200, 200)[None])
    counts, _ = np.histogram(values, bins=16, range=(0, 1))
    assert values.min() >= 0
    assert values.max() < 1
    assert counts.min() > 0.93 * values.size / 16
    for axis in (0, 1):
        one, two = np.delete(values, 0, axis).ravel(), np.delete(values, -1, axis).ravel()
        assert abs(np.corrcoef(one, two)[0, 1]) < 0.02
