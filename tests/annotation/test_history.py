from __future__ import annotations

import numpy as np

from napari_relay.annotation import CorrectionStore, Edit, History, Step
from napari_relay.geometry import Window


def paint_disk(store: CorrectionStore, window: Window, label: int) -> Edit:
    rows, cols = np.ogrid[: window.height, : window.width]
    mask = (rows - window.height / 2) ** 2 + (cols - window.width / 2) ** 2 < 400
    region = store.read(window)
    edit = Edit.record(window, mask, region, label)
    region[mask] = label
    store.write(window, region)
    return edit


def replay(store: CorrectionStore, edit: Edit, *, undoing: bool) -> None:
    assert list(Step([edit]).replay(store.pyramid, undoing=undoing)) == [edit.window]


def test_undo_and_redo_give_back_the_very_pixels(store: CorrectionStore) -> None:
    everything = Window(0, 0, 300, 300)
    rng = np.random.default_rng(0)
    store.write(everything, rng.choice(np.array([0, 1, 255], np.uint8), (300, 300)))
    before = store.read(everything)
    edit = paint_disk(store, Window(20, 30, 51, 47), 2)
    after = store.read(everything)
    assert (after == 2).any()
    replay(store, edit, undoing=True)
    np.testing.assert_array_equal(store.read(everything), before)
    replay(store, edit, undoing=False)
    np.testing.assert_array_equal(store.read(everything), after)


def test_undo_leaves_what_came_from_elsewhere_beside_the_stroke(store: CorrectionStore) -> None:
    edit = paint_disk(store, Window(0, 0, 60, 60), 1)
    store.write(Window(0, 0, 1, 1), np.array([[2]], np.uint8))
    replay(store, edit, undoing=True)
    assert store.class_counts().tolist() == [0, 0, 1]


def test_a_huge_even_edit_takes_little_memory() -> None:
    mask = np.ones((4000, 4000), bool)
    labels = np.full((4000, 4000), 255, np.uint8)
    assert Edit.record(Window(0, 0, 4000, 4000), mask, labels, 1).nbytes < 20_000


def test_history_is_capped_by_bytes_and_by_steps() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 255, (100, 100)).astype(np.uint8)
    edit = Edit.record(Window(0, 0, 100, 100), np.ones((100, 100), bool), labels, 1)
    history = History(max_steps=5, max_bytes=3 * edit.nbytes)
    for _ in range(4):
        history.append(Step([edit]))
    assert len(history) == 3
    history = History(max_steps=5, max_bytes=1)
    for _ in range(4):
        history.append(Step([edit]))
    assert len(history) == 1
    small = History(max_steps=5)
    for _ in range(9):
        small.append(Step([edit]))
    assert len(small) == 5
