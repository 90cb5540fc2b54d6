from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from napari_relay.annotation import CorrectionStore
from napari_relay.annotation.pyramid import pool
from napari_relay.annotation.values import value_colors
from napari_relay.geometry import Window
from napari_relay.training.correction_values import IGNORED, MAX_CLASSES, NOT_CLASS, value_names
from relay_tokens import ClassSchema, UserError


def paint(store: CorrectionStore, window: Window, label: int) -> None:
    store.write(window, np.full((window.height, window.width), label, np.uint8))


def test_not_a_class_and_ignored_are_kept_and_counted_apart(store: CorrectionStore) -> None:
    paint(store, Window(0, 0, 10, 10), 1)
    paint(store, Window(0, 20, 10, 5), NOT_CLASS + 2)
    paint(store, Window(40, 0, 3, 3), IGNORED)
    store.flush()
    again = CorrectionStore.open(store.folder)
    assert again.class_counts().tolist() == [0, 100, 0]
    counts = again.value_counts()
    assert counts[[NOT_CLASS + 2, IGNORED, 255]].tolist() == [50, 9, 0]
    assert counts.sum() == 159
    assert (again.pyramid[-1][10:11, 0:1] == IGNORED).all()
    assert again.corrected_windows(512) == [Window(0, 0, 512, 512)]


@pytest.mark.parametrize("label", [3, 127, NOT_CLASS + 3, 253])
def test_a_value_that_says_nothing_of_these_classes_is_refused(
    store: CorrectionStore, label: int
) -> None:
    with pytest.raises(ValueError, match=f"label {label} of 3 classes"):
        paint(store, Window(0, 0, 2, 2), label)


def test_coarser_levels_show_classes_before_not_before_ignored_before_nothing() -> None:
    order = [255, IGNORED, NOT_CLASS + 7, NOT_CLASS, 0, 5, 125]
    for weak in range(len(order)):
        for strong in range(weak, len(order)):
            block = np.array([[order[weak], order[strong]], [255, order[weak]]], np.uint8)
            assert pool(block)[0, 0] == order[strong]


def test_corrections_of_the_first_format_open_and_mean_the_same(
    store: CorrectionStore, tmp_path: Path
) -> None:
    paint(store, Window(5, 5, 20, 20), 2)
    store.flush()
    metadata = store.folder / "zarr.json"
    metadata.write_text(metadata.read_text().replace('"format": 2', '"format": 1'))
    old = CorrectionStore.open(store.folder)
    assert old.class_counts().tolist() == [0, 0, 400]
    paint(old, Window(50, 50, 2, 2), NOT_CLASS)
    old.flush()
    assert '"format": 2' in metadata.read_text()
    assert CorrectionStore.open(store.folder).value_counts()[NOT_CLASS] == 4


def test_more_classes_than_values_are_refused_in_a_sentence(tmp_path: Path) -> None:
    names = [f"class {i}" for i in range(MAX_CLASSES + 1)]
    with pytest.raises(UserError, match=f"{MAX_CLASSES + 1} classes are too many"):
        CorrectionStore.create(tmp_path / "many", (10, 10), ClassSchema.from_names(names), "x")
    most = ClassSchema.from_names(names[:-1])
    store = CorrectionStore.create(tmp_path / "most", (10, 10), most, "x")
    paint(store, Window(0, 0, 1, 1), NOT_CLASS + MAX_CLASSES - 1)
    paint(store, Window(1, 1, 1, 1), IGNORED)
    assert store.value_counts()[[NOT_CLASS + MAX_CLASSES - 1, IGNORED]].tolist() == [1, 1]


def test_every_value_has_a_name_and_a_colour_of_its_own(schema: ClassSchema) -> None:
    names, colors = value_names(schema), value_colors(schema)
    assert names.keys() == colors.keys()
    assert len(set(names.values())) == len(set(colors.values())) == 2 * len(schema) + 1
    assert names[NOT_CLASS + 1] == "not tissue"
