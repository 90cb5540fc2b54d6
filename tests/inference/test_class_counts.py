"""Counting the classes of a prediction while it grows."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_relay.geometry import Window
from napari_relay.inference.class_counts import ClassCounts

from .tiles import CLASSES, pattern, pattern_store, pattern_tile


def _truth(store) -> np.ndarray:
    height, width = store.shape
    side = store.grid.stride
    done = store.finished.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
    labels = pattern(Window(0, 0, height, width), 1, CLASSES)
    return np.bincount(labels[done], minlength=CLASSES)


@given(st.data())
@settings(max_examples=8, deadline=None)
def test_every_finished_pixel_is_counted_once_whatever_the_order(data: st.DataObject) -> None:
    with TemporaryDirectory() as folder:
        store = pattern_store(Path(folder) / "store", 300, 500)
        rows, cols = store.grid.shape
        positions = [(i, j) for i in range(rows) for j in range(cols)]
        order = data.draw(st.permutations(positions))
        cuts = sorted(data.draw(st.lists(st.integers(0, len(order)), max_size=3)))
        counts = ClassCounts(store)
        for part in np.split(np.array(order), cuts):
            store.write(pattern_tile(store, (int(i), int(j))) for i, j in part)
            for so_far in counts.count_new():
                assert so_far.sum() <= _truth(store).sum()
            assert counts.pixels.tolist() == _truth(store).tolist()


def test_counting_that_is_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    store = pattern_store(tmp_path / "store", 4200, 130)
    rows, cols = store.grid.shape
    store.write(pattern_tile(store, (i, j)) for i in range(rows) for j in range(cols))
    counts = ClassCounts(store)
    parts = 0
    while counts.pixels.sum() < 4200 * 130:
        next(counts.count_new())
        parts += 1
    assert parts == 3  # two shards of 2048 px and the rest
    assert counts.pixels.tolist() == _truth(store).tolist()
    assert not list(counts.count_new())
