from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.exploring.strongest import Strongest


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    side=st.integers(1, 9),
    spacing=st.integers(4, 20),
    wider=st.floats(0.3, 3),
    count=st.integers(1, 12),
    parts=st.integers(1, 6),
)
def test_however_the_places_arrive_the_same_are_taken_as_from_all_of_them(
    seed: int, side: int, spacing: int, wider: float, count: int, parts: int
) -> None:
    rng = np.random.default_rng(seed)
    squares = np.argwhere(np.ones((side, side + 2), bool))
    places = squares * spacing + rng.integers(0, spacing, squares.shape) + 0.5
    values = rng.integers(0, 30, len(places)) / 30  # some are equally strong
    apart = max(round(spacing * wider), 1)
    found = Strongest(count, apart, spacing)
    for part in np.array_split(rng.permutation(len(places)), parts):
        found.add(values[part], places[part])
    assert found.take() == one_by_one(values, places, apart, count)


def one_by_one(values, places, apart, count):
    order = sorted(range(len(values)), key=lambda k: (-values[k], *places[k]))
    taken = []
    for k in order:
        far = all(np.abs(places[k] - np.array(other)).max() >= apart for _, other in taken)
        if far and len(taken) < count:
            taken.append((values[k], tuple(places[k])))
    return taken


def test_few_are_kept_however_many_are_added() -> None:
    found = Strongest(10, 64, 48)
    for k in range(200):
        places = np.stack([np.full(500, k * 48.0), np.arange(500) * 48.0], axis=1)
        found.add(np.random.default_rng(k).random(500), places)
    assert len(found._values) == 9 * 25 + 1
    assert len(found.take()) == 10
